#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/posix_env.h"

namespace tandem {
namespace {

// Keeps what the worker posts until the test plays the loop.
class PostedClosures {
 public:
  PostToLoop callback() {
    return [this](std::function<void()> closure) {
      std::lock_guard guard(mutex_);
      closures_.push_back(std::move(closure));
    };
  }
  size_t run() {
    std::vector<std::function<void()>> taken;
    {
      std::lock_guard guard(mutex_);
      taken.swap(closures_);
    }
    for (auto& closure : taken) closure();
    return taken.size();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> closures_;
};

class PosixEnvTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tandem-env-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    auto names = env_->list(directory_);
    ASSERT_TRUE(names.ok());
    for (const std::string& name : names.value()) {
      if (!env_->remove(path(name)).ok()) rmdir(path(name).c_str());
    }
    rmdir(directory_.c_str());
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  ChildExit wait_for(ChildId child) {
    while (true) {
      if (auto end = env_->poll_child(child)) return *end;
      std::this_thread::yield();
    }
  }

  PostedClosures posted_;
  std::unique_ptr<Env> env_ = make_posix_env(posted_.callback());
  std::string directory_;
};

TEST_F(PosixEnvTest, AppendedBytesAreReadBack) {
  {
    auto file = env_->create(path("a"));
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(file.value()->append("hello ").ok());
    EXPECT_TRUE(file.value()->append("world").ok());
    EXPECT_TRUE(file.value()->sync().ok());
    EXPECT_EQ(file.value()->size(), 11u);
  }
  auto reopened = env_->open_append(path("a"));
  ASSERT_TRUE(reopened.ok());
  EXPECT_EQ(reopened.value()->size(), 11u);
  EXPECT_TRUE(reopened.value()->append("!").ok());
  EXPECT_EQ(read_file(*env_, path("a"), 100).value(), "hello world!");
  EXPECT_EQ(env_->file_size(path("a")).value(), 12u);
  auto reader = env_->open_read(path("a"));
  ASSERT_TRUE(reader.ok());
  char bytes[8];
  EXPECT_EQ(reader.value()->read(6, bytes, 5).value(), 5u);
  EXPECT_EQ(std::string(bytes, 5), "world");
  EXPECT_EQ(reader.value()->read(12, bytes, 5).value(), 0u);
}

TEST_F(PosixEnvTest, TruncatedFileGoesOnAtItsNewEnd) {
  auto file = env_->create(path("a"));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file.value()->append("abcdef").ok());
  EXPECT_TRUE(file.value()->truncate(3).ok());
  EXPECT_TRUE(file.value()->append("X").ok());
  EXPECT_EQ(file.value()->size(), 4u);
  EXPECT_EQ(read_file(*env_, path("a"), 100).value(), "abcX");
}

TEST_F(PosixEnvTest, ErrorsNameThePathAndTheReason) {
  const auto missing = env_->open_read(path("missing"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message,
            "Can't open " + path("missing") + ": No such file or directory");
  EXPECT_EQ(env_->open_read(directory_).error().message,
            "Can't read " + directory_ + ": Is a directory");
  EXPECT_FALSE(env_->remove(path("missing")).ok());
  EXPECT_FALSE(env_->rename(path("missing"), path("b")).ok());
  auto full = env_->open_append("/dev/full");
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full.value()->append("x").error().message,
            "Can't write to /dev/full: No space left on device");
}

TEST_F(PosixEnvTest, ReadFileRefusesMoreThanItsLimit) {
  ASSERT_TRUE(write_file_atomically(*env_, path("a"), "12345").ok());
  EXPECT_EQ(read_file(*env_, path("a"), 5).value(), "12345");
  EXPECT_EQ(read_file(*env_, path("a"), 4).error().kind, ErrorKind::kLimit);
}

TEST_F(PosixEnvTest, AtomicWriteReplacesAndLeavesNoTemporaryFile) {
  ASSERT_TRUE(write_file_atomically(*env_, path("a"), "old").ok());
  ASSERT_TRUE(write_file_atomically(*env_, path("a"), "new").ok());
  EXPECT_EQ(read_file(*env_, path("a"), 100).value(), "new");
  EXPECT_EQ(env_->list(directory_).value(), std::vector<std::string>{"a"});
  ASSERT_TRUE(env_->create_directory(path("taken")).ok());
  EXPECT_FALSE(write_file_atomically(*env_, path("taken"), "x").ok());
  EXPECT_EQ(env_->list(directory_).value(), (std::vector<std::string>{"a", "taken"}));
}

TEST_F(PosixEnvTest, DirectoriesAreCreatedOnce) {
  EXPECT_TRUE(env_->create_directory(path("d")).ok());
  EXPECT_TRUE(env_->create_directory(path("d")).ok());
  EXPECT_TRUE(env_->sync_directory(path("d")).ok());
  ASSERT_TRUE(env_->create(path("file")).ok());
  EXPECT_FALSE(env_->create_directory(path("file")).ok());
}

TEST_F(PosixEnvTest, SecondLockIsRefusedUntilTheFirstIsGone) {
  auto first = env_->lock(path("lock"));
  ASSERT_TRUE(first.ok());
  const auto second = env_->lock(path("lock"));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another process holds the lock"), std::string::npos);
  { auto released = std::move(first).value(); }
  EXPECT_TRUE(env_->lock(path("lock")).ok());
}

TEST_F(PosixEnvTest, APipeIsReadToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string sent(3000, 'x');
  ASSERT_EQ(write(ends[1], sent.data(), sent.size()), static_cast<ssize_t>(sent.size()));
  close(ends[1]);
  const auto content = read_file(*env_, "/dev/fd/" + std::to_string(ends[0]), 1 << 20);
  close(ends[0]);
  ASSERT_TRUE(content.ok()) << content.error().message;
  EXPECT_EQ(content.value(), sent);
}

TEST_F(PosixEnvTest, ChildDoesNotKeepTheLockAlive) {
  auto held = env_->lock(path("lock"));
  ASSERT_TRUE(held.ok());
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  auto child = env_->fork_child([&] {
    char byte = 'r';
    (void)!write(ready[1], &byte, 1);
    return static_cast<int>(read(gate[0], &byte, 1)) - 1;
  });
  ASSERT_TRUE(child.ok());
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  { auto released = std::move(held).value(); }
  EXPECT_TRUE(env_->lock(path("lock")).ok());
  ASSERT_EQ(write(gate[1], "g", 1), 1);
  EXPECT_TRUE(wait_for(child.value()).ok);
  for (int fd : {gate[0], gate[1], ready[0], ready[1]}) close(fd);
}

TEST_F(PosixEnvTest, ChildsEndIsReportedOnce) {
  auto child = env_->fork_child([] { return 0; });
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE(wait_for(child.value()).ok);

  child = env_->fork_child([] { return 3; });
  ASSERT_TRUE(child.ok());
  ChildExit end = wait_for(child.value());
  EXPECT_FALSE(end.ok);
  EXPECT_FALSE(end.killed);
  EXPECT_EQ(end.code, 3);
  EXPECT_EQ(env_->poll_child(child.value())->code, -1);

  child = env_->fork_child([]() -> int { throw std::runtime_error("no"); });
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(wait_for(child.value()).code, 1);
}

TEST_F(PosixEnvTest, KilledChildIsReportedAsKilled) {
  auto child = env_->fork_child([]() -> int {
    while (true) pause();
  });
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(env_->poll_child(child.value()), nullptr);
  env_->kill_child(child.value());
  const ChildExit end = wait_for(child.value());
  EXPECT_TRUE(end.killed);
  EXPECT_EQ(end.code, SIGKILL);
}

TEST_F(PosixEnvTest, ChildKeepsTheSocketItAsksFor) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  auto child = env_->fork_child_with_socket(
      pair[0], [&] { return write(pair[0], "x", 1) == 1 && write(pair[1], "x", 1) == -1 ? 0 : 1; });
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE(wait_for(child.value()).ok);
  char byte = 0;
  EXPECT_EQ(read(pair[1], &byte, 1), 1);
  close(pair[0]);
  close(pair[1]);
}

TEST_F(PosixEnvTest, ChildHasNoSocketsOfTheParent) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  auto child = env_->fork_child([&] { return write(pair[0], "x", 1) == -1 ? 0 : 1; });
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE(wait_for(child.value()).ok);
  close(pair[0]);
  close(pair[1]);
}

TEST_F(PosixEnvTest, BackgroundJobsRunInOrderAndFinishOnTheLoop) {
  std::string worked, done;
  const auto loop_thread = std::this_thread::get_id();
  bool off_loop = true, on_loop = true;
  for (char name : {'a', 'b', 'c'}) {
    env_->run_in_background(
        [&, name] {
          worked += name;
          off_loop &= std::this_thread::get_id() != loop_thread;
        },
        [&, name] {
          done += name;
          on_loop &= std::this_thread::get_id() == loop_thread;
        });
  }
  for (size_t finished = 0; finished < 3; std::this_thread::yield()) finished += posted_.run();
  EXPECT_EQ(worked, "abc");
  EXPECT_EQ(done, "abc");
  EXPECT_TRUE(off_loop);
  EXPECT_TRUE(on_loop);
}

TEST_F(PosixEnvTest, LanesRunBesideOneAnother) {
  std::promise<void> gate;
  std::string done;
  env_->run_in_lane(
      0, 0, [&] { gate.get_future().wait(); }, [&] { done += 'a'; });
  env_->run_in_lane(
      0, 0, [] {}, [&] { done += 'b'; });
  env_->run_in_lane(
      2, 0, [&] { gate.set_value(); }, [&] { done += 'c'; });
  for (size_t finished = 0; finished < 3; std::this_thread::yield()) finished += posted_.run();
  EXPECT_LT(done.find('a'), done.find('b'));
  EXPECT_NE(done.find('c'), std::string::npos);
}

TEST_F(PosixEnvTest, AJobOfALaneMayHaveToWait) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point asked = Clock::now();
  Clock::time_point began;
  env_->run_in_lane(
      0, 20'000, [&] { began = Clock::now(); }, [] {});
  while (posted_.run() == 0) std::this_thread::yield();
  EXPECT_GE(began - asked, std::chrono::milliseconds(20));
}

TEST_F(PosixEnvTest, DestructionFinishesQueuedJobs) {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  int count = 0;
  auto other = make_posix_env(posted_.callback());
  other->run_in_background([opened] { opened.wait(); }, nullptr);
  for (int i = 0; i < 10; ++i) other->run_in_background([&count] { ++count; }, nullptr);
  gate.set_value();
  other.reset();
  EXPECT_EQ(count, 10);
}

}  // namespace
}  // namespace tandem
