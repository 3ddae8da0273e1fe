// What clients and operators see when the disk fails under a running server, and what a restart
// finds afterwards.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "tests/support/await.h"
#include "tests/support/faulty_disk.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Keeps a child busy for some seconds: it saves a hundred keys.
constexpr const char* kSlowKeyUs = "50000";

class DiskFaultsTest : public ::testing::Test {
 protected:
  void start(ServerProcess::Options options) {
    server_.emplace(std::move(options), disk_.program());
  }

  // Sets the next key; true when that was acknowledged.
  bool write() {
    const std::string key = "key:" + std::to_string(attempts_++);
    try {
      if (server_->run("SET", key, "value") != "OK") return false;
    } catch (const std::exception&) {
      return false;
    }
    acknowledged_.push_back(key);
    return true;
  }
  void write(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(write());
  }

  bool refuses_writes() {
    const std::string reply = server_->run("SET", "probe", "1");
    return reply.starts_with("(error) MISCONF ");
  }

  // The connections that a failed write takes with it are not of interest here.
  bool await_refusal() {
    return eventually([&] {
      (void)write();
      try {
        return refuses_writes();
      } catch (const std::exception&) {
        return false;
      }
    });
  }
  bool await_service() {
    return eventually([&] { return write(); });
  }
  bool await_info(std::string_view field, std::string_view value) {
    return eventually([&] { return server_->info(field) == value; });
  }

  // All that was written before is on the disk.
  void await_durable() {
    RespClient client = server_->connect();
    EXPECT_EQ(client.run("SET", "durable", "1"), "OK");
    EXPECT_EQ(client.run("WAITAOF", "1", "0", "30000"), "[(integer) 1, (integer) 0]");
  }

  void expect_all_acknowledged() {
    RespClient client = server_->connect();
    for (const std::string& key : acknowledged_) {
      ASSERT_EQ(client.text("GET", key), "value") << key;
    }
  }
  void restart() {
    server_->kill();
    disk_.heal();
    server_->start();
  }

  std::vector<std::string> temporary_files() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(server_->dir())) {
      const std::string name = entry.path().filename();
      if (name.starts_with("temp-") || name.ends_with(".tmp")) found.push_back(name);
    }
    return found;
  }

  // The pid of the server's only child.
  pid_t child() {
    const std::string pid = std::to_string(server_->process().pid());
    pid_t found = 0;
    const bool there = eventually([&] {
      std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
      return static_cast<bool>(list >> found);
    });
    if (!there) throw std::runtime_error("the server has no child");
    return found;
  }

  FaultyDisk disk_;
  std::optional<ServerProcess> server_;
  std::vector<std::string> acknowledged_;
  int attempts_ = 0;
};

struct Fault {
  std::string name;
  std::string fsync;
  std::function<void(FaultyDisk&)> inject;
};

class AofFaults : public DiskFaultsTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(AofFaults, RefuseWritesUntilTheyAreOverAndLoseNothing) {
  start({"--appendonly", "yes", "--appendfsync", GetParam().fsync});
  write(20);
  GetParam().inject(disk_);
  ASSERT_TRUE(await_refusal());
  EXPECT_EQ(server_->info("aof_last_write_status"), "err");
  EXPECT_EQ(server_->text("GET", "key:1"), "value");
  EXPECT_THAT(server_->run("SET", "probe", "1"),
              StartsWith("(error) MISCONF Errors writing to the AOF file: "));
  disk_.heal();
  ASSERT_TRUE(await_service());
  EXPECT_EQ(server_->info("aof_last_write_status"), "ok");
  write(20);
  await_durable();
  server_->kill();
  std::mt19937_64 random(1);
  disk_.lose_power(server_->dir(), random);
  server_->start();
  expect_all_acknowledged();
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, AofFaults,
    ::testing::Values(Fault{"FullWithAlways", "always",
                            [](FaultyDisk& disk) { disk.fail_writes(".incr.aof", ENOSPC); }},
                      Fault{"ShortWriteWithAlways", "always",
                            [](FaultyDisk& disk) { disk.fail_writes(".incr.aof", ENOSPC, 60); }},
                      Fault{"ShortWriteWithEverySecond", "everysec",
                            [](FaultyDisk& disk) { disk.fail_writes(".incr.aof", ENOSPC, 60); }},
                      Fault{"BrokenWithEverySecond", "everysec",
                            [](FaultyDisk& disk) { disk.fail_writes(".incr.aof", EIO); }},
                      Fault{"UnsyncableWithAlways", "always",
                            [](FaultyDisk& disk) { disk.fail_syncs(".incr.aof", EIO); }},
                      Fault{"UnsyncableWithEverySecond", "everysec",
                            [](FaultyDisk& disk) { disk.fail_syncs(".incr.aof", EIO); }}),
    [](const auto& test) { return test.param.name; });

// A killed server leaves its last write in part: the restart cuts it off.
TEST_F(DiskFaultsTest, AServerThatIsKilledOnAFullDiskStartsAgain) {
  start({"--appendonly", "yes", "--appendfsync", "always"});
  write(20);
  disk_.fail_writes(".incr.aof", ENOSPC, 30);
  ASSERT_TRUE(await_refusal());
  restart();
  expect_all_acknowledged();
  write(5);
}

// After a sync that failed, a later one that succeeds proves nothing.
TEST_F(DiskFaultsTest, AfterAFailedSyncWritesWaitForANewAof) {
  start({"--appendonly", "yes", "--appendfsync", "always"});
  write(100);
  ASSERT_EQ(server_->run("CONFIG", "SET", "rdb-key-save-delay", kSlowKeyUs), "OK");
  disk_.fail_syncs(".incr.aof", EIO);
  ASSERT_TRUE(await_refusal());
  disk_.heal();
  ASSERT_TRUE(await_info("aof_rewrite_in_progress", "1"));
  EXPECT_TRUE(refuses_writes());
  EXPECT_EQ(server_->info("aof_rewrite_in_progress"), "1") << "it was not slow enough to tell";
  // The machine is lost before the new AOF is there.
  server_->kill();
  std::mt19937_64 random(1);
  disk_.lose_power(server_->dir(), random);
  server_->start();
  expect_all_acknowledged();
}

class RewriteFaults : public DiskFaultsTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(RewriteFaults, LeaveTheOldFilesAndLetItGoOn) {
  start({"--appendonly", "yes", "--appendfsync", GetParam().fsync});
  write(20);
  GetParam().inject(disk_);
  (void)server_->run("BGREWRITEAOF");
  ASSERT_TRUE(eventually(
      [&] { return disk_.failures() > 0 && server_->info("aof_rewrite_in_progress") == "0"; }));
  EXPECT_EQ(server_->info("aof_last_write_status"), "ok");
  write(20);
  await_durable();
  restart();
  expect_all_acknowledged();
  write(20);
  ASSERT_THAT(server_->run("BGREWRITEAOF"), HasSubstr("rewriting"));
  ASSERT_TRUE(await_info("aof_rewrite_in_progress", "0"));
  EXPECT_EQ(server_->info("aof_last_bgrewrite_status"), "ok");
  write(20);
  await_durable();
  server_->kill();
  server_->start();
  expect_all_acknowledged();
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RewriteFaults,
    ::testing::Values(Fault{"NewFileNotOpened", "always",
                            [](FaultyDisk& disk) { disk.fail_opens(".2.incr.aof", ENOSPC); }},
                      Fault{"ManifestNotRenamed", "always",
                            [](FaultyDisk& disk) { disk.fail_renames(".manifest", EIO); }},
                      Fault{"ManifestNotWritten", "everysec",
                            [](FaultyDisk& disk) { disk.fail_writes(".manifest", ENOSPC, 10); }},
                      Fault{"ManifestNotSynced", "everysec",
                            [](FaultyDisk& disk) { disk.fail_syncs(".manifest", EIO); }},
                      Fault{"BaseNotWritten", "everysec",
                            [](FaultyDisk& disk) {
                              disk.fail_writes("temp-rewriteaof", ENOSPC, 100);
                            }},
                      Fault{"BaseNotSynced", "always",
                            [](FaultyDisk& disk) { disk.fail_syncs("temp-rewriteaof", EIO); }},
                      Fault{"BaseNotRenamed", "always",
                            [](FaultyDisk& disk) { disk.fail_renames(".base.rdb", EIO); }}),
    [](const auto& test) { return test.param.name; });

TEST_F(DiskFaultsTest, AManifestThatCannotBeReplacedAtARewritesEndStays) {
  start({"--appendonly", "yes", "--appendfsync", "always"});
  write(100);
  ASSERT_EQ(server_->run("CONFIG", "SET", "rdb-key-save-delay", "30000"), "OK");
  ASSERT_THAT(server_->run("BGREWRITEAOF"), HasSubstr("started"));
  disk_.fail_renames(".manifest", EIO);
  ASSERT_TRUE(await_info("aof_last_bgrewrite_status", "err"));
  EXPECT_EQ(disk_.failures(), 1u);
  write(10);
  restart();
  expect_all_acknowledged();
}

class SaveFaults : public DiskFaultsTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(SaveFaults, KeepTheOldSnapshotAndStopWrites) {
  start({"--save", "3600 100000"});
  write(20);
  ASSERT_EQ(server_->run("SAVE"), "OK");
  const std::string before = read_whole(server_->file("dump.rdb"));
  write(20);
  GetParam().inject(disk_);
  EXPECT_EQ(server_->run("SAVE"), "(error) ERR");
  EXPECT_THAT(server_->run("BGSAVE"), HasSubstr("started"));
  ASSERT_TRUE(await_info("rdb_last_bgsave_status", "err"));
  EXPECT_EQ(read_whole(server_->file("dump.rdb")), before);
  EXPECT_THAT(temporary_files(), IsEmpty());
  EXPECT_TRUE(refuses_writes());
  EXPECT_EQ(server_->text("GET", "key:25"), "value");
  EXPECT_EQ(server_->run("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"), "OK");
  ASSERT_TRUE(await_service());
  EXPECT_EQ(server_->run("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"), "OK");
  ASSERT_TRUE(eventually([&] { return refuses_writes(); }));

  disk_.heal();
  EXPECT_THAT(server_->run("BGSAVE"), HasSubstr("started"));
  ASSERT_TRUE(await_info("rdb_last_bgsave_status", "ok"));
  EXPECT_EQ(server_->run("SET", "probe", "1"), "OK");
  server_->kill();
  server_->start();
  expect_all_acknowledged();
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SaveFaults,
    ::testing::Values(
        Fault{"Full", "", [](FaultyDisk& disk) { disk.fail_writes("/temp-", ENOSPC); }},
        Fault{"Short", "", [](FaultyDisk& disk) { disk.fail_writes("/temp-", ENOSPC, 100); }},
        Fault{"Broken", "", [](FaultyDisk& disk) { disk.fail_writes("/temp-", EIO, 50); }},
        Fault{"NotOpened", "", [](FaultyDisk& disk) { disk.fail_opens("/temp-", ENOSPC); }},
        Fault{"NotSynced", "", [](FaultyDisk& disk) { disk.fail_syncs("/temp-", EIO); }},
        Fault{"NotRenamed", "", [](FaultyDisk& disk) { disk.fail_renames("dump.rdb", EIO); }}),
    [](const auto& test) { return test.param.name; });

TEST_F(DiskFaultsTest, AKilledSavingChildIsReportedAndLeavesNothing) {
  start({"--save", "3600 100000", "--rdb-key-save-delay", kSlowKeyUs});
  write(100);
  EXPECT_THAT(server_->run("BGSAVE"), HasSubstr("started"));
  const pid_t saving = child();
  ASSERT_TRUE(eventually([&] { return !temporary_files().empty(); }));
  ASSERT_EQ(kill(saving, SIGKILL), 0);
  ASSERT_TRUE(await_info("rdb_last_bgsave_status", "err"));
  EXPECT_TRUE(server_->logged("Background saving terminated by signal 9"));
  EXPECT_THAT(temporary_files(), IsEmpty());
  EXPECT_TRUE(refuses_writes());
  EXPECT_EQ(server_->run("CONFIG", "SET", "rdb-key-save-delay", "0"), "OK");
  EXPECT_EQ(server_->run("SAVE"), "OK");
  EXPECT_EQ(server_->run("SET", "probe", "1"), "OK");
}

TEST_F(DiskFaultsTest, AKilledRewritingChildIsReportedAndLeavesNothing) {
  start({"--appendonly", "yes", "--rdb-key-save-delay", kSlowKeyUs});
  write(100);
  EXPECT_THAT(server_->run("BGREWRITEAOF"), HasSubstr("started"));
  const pid_t rewriting = child();
  ASSERT_TRUE(eventually([&] { return !temporary_files().empty(); }));
  ASSERT_EQ(kill(rewriting, SIGKILL), 0);
  ASSERT_TRUE(await_info("aof_last_bgrewrite_status", "err"));
  EXPECT_THAT(temporary_files(), IsEmpty());
  write(5);
  await_durable();
  server_->kill();
  server_->start();
  expect_all_acknowledged();
}

TEST_F(DiskFaultsTest, AFullDiskStopsAShutdownThatWouldLoseData) {
  start({"--save", "3600 100000"});
  write(10);
  ASSERT_EQ(server_->run("SAVE"), "OK");
  write(10);
  disk_.fail_writes("/temp-", ENOSPC);
  EXPECT_EQ(server_->run("SHUTDOWN"), "(error) ERR Errors trying to SHUTDOWN. Check logs.");
  EXPECT_EQ(server_->run("SHUTDOWN", "SAVE"), "(error) ERR Errors trying to SHUTDOWN. Check logs.");
  server_->process().signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return server_->logged("Errors trying to shut down the server"); }));
  EXPECT_TRUE(server_->logged("No space left on device"));
  expect_all_acknowledged();
  EXPECT_TRUE(server_->running());
  // Once there is room, it goes and takes everything with it.
  disk_.heal();
  EXPECT_EQ(server_->terminate().code, 0);
  server_->start();
  expect_all_acknowledged();
}

TEST_F(DiskFaultsTest, AForcedShutdownDoesNotAskTheDisk) {
  start({"--save", "3600 100000"});
  write(10);
  ASSERT_EQ(server_->run("SAVE"), "OK");
  const std::string before = read_whole(server_->file("dump.rdb"));
  for (const char* option : {"FORCE", "NOSAVE"}) {
    write(10);
    disk_.fail_writes("/temp-", ENOSPC);
    server_->connect().send("SHUTDOWN", option);
    EXPECT_EQ(server_->wait().code, 0);
    EXPECT_EQ(read_whole(server_->file("dump.rdb")), before);
    disk_.heal();
    server_->start();
    EXPECT_EQ(server_->run("DBSIZE"), "(integer) 10");
  }
}

TEST_F(DiskFaultsTest, AnAofThatCannotBeSyncedStopsAShutdown) {
  start({"--appendonly", "yes", "--appendfsync", "no"});
  write(10);
  disk_.fail_syncs(".aof", EIO);
  EXPECT_EQ(server_->run("SHUTDOWN"), "(error) ERR Errors trying to SHUTDOWN. Check logs.");
  expect_all_acknowledged();
  disk_.heal();
  EXPECT_EQ(server_->terminate().code, 0);
  std::mt19937_64 random(1);
  disk_.lose_power(server_->dir(), random);
  server_->start();
  expect_all_acknowledged();
}

}  // namespace
}  // namespace tandem
