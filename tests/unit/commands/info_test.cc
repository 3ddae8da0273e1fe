#include "server/info.h"

#include <algorithm>

#include "functions/function_engine.h"
#include "server/expire_cycle.h"
#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

class InfoTest : public AdminFixture {
 protected:
  std::string build(std::vector<std::string_view> sections) {
    return build_info(sources, sections);
  }
  // The value of a field, or "(none)".
  static std::string field(const std::string& text, const std::string& name) {
    const std::string from = "\r\n" + name + ":";
    const size_t at = text.find(from);
    if (at == std::string::npos) return "(none)";
    const size_t begin = at + from.size();
    return text.substr(begin, text.find("\r\n", begin) - begin);
  }
  static std::vector<std::string> titles(const std::string& text) {
    std::vector<std::string> found;
    for (size_t at = 0; (at = text.find("# ", at)) != std::string::npos; at += 2) {
      found.push_back(text.substr(at + 2, text.find("\r\n", at) - at - 2));
    }
    return found;
  }

  InfoSources sources{.executor = executor,
                      .run_id = std::string(40, 'f'),
                      .started_ms = ManualClock::kStart_us / 1000};
};

TEST_F(InfoTest, ChoosesSections) {
  using Titles = std::vector<std::string>;
  const Titles defaults = {"Server",     "Clients",     "Memory",  "Persistence",
                           "Stats",      "Replication", "CPU",     "Modules",
                           "Errorstats", "Cluster",     "Keyspace"};
  EXPECT_EQ(titles(build({})), defaults);
  EXPECT_EQ(titles(build({"default"})), defaults);
  EXPECT_EQ(titles(build({"Everything"})).size(), 14u);
  EXPECT_EQ(titles(build({"all"})), titles(build({"everything"})));
  EXPECT_EQ(titles(build({"KEYSPACE", "cpu", "nosuch"})), (Titles{"CPU", "Keyspace"}));
  EXPECT_EQ(build({"nosuch"}), "");
  EXPECT_EQ(build({"cluster"}), "# Cluster\r\ncluster_enabled:0\r\n");
  EXPECT_EQ(build({"cluster", "modules"}), "# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n");
}

TEST_F(InfoTest, EveryLineIsAFieldATitleOrEmpty) {
  run({"nosuch:\n#"});
  std::string text = build({"all"});
  ASSERT_TRUE(text.ends_with("\r\n"));
  while (!text.empty()) {
    const std::string line = text.substr(0, text.find("\r\n"));
    text.erase(0, line.size() + 2);
    EXPECT_TRUE(line.empty() || line.starts_with("# ") || line.find(':') != std::string::npos)
        << line;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST_F(InfoTest, Server) {
  clock.now_us += 90'061'000'000;
  const std::string text = build({"server"});
  EXPECT_EQ(field(text, "redis_version"), "7.2.4");
  EXPECT_EQ(field(text, "server_name"), "tandem");
  EXPECT_EQ(field(text, "redis_mode"), "standalone");
  EXPECT_EQ(field(text, "run_id"), std::string(40, 'f'));
  EXPECT_EQ(field(text, "uptime_in_seconds"), "90061");
  EXPECT_EQ(field(text, "uptime_in_days"), "1");
  EXPECT_EQ(field(text, "tcp_port"), "6379");
  EXPECT_EQ(field(text, "listener0"), "name=tcp,bind=*,bind=-::*,port=6379");
}

TEST_F(InfoTest, Clients) {
  Client* other = connect("127.0.0.1:50002");
  run(other, {"watch", "a", "b"});
  connect("127.0.0.1:50003")->set_kind(ClientKind::kReplica);
  const std::string text = build({"clients"});
  EXPECT_EQ(field(text, "connected_clients"), "2");
  EXPECT_EQ(field(text, "maxclients"), "10000");
  EXPECT_EQ(field(text, "watching_clients"), "1");
  EXPECT_EQ(field(text, "total_watched_keys"), "2");
}

TEST_F(InfoTest, Memory) {
  FunctionEngine functions(executor);
  const std::string source =
      "#!lua name=l\nredis.register_function('f', function() end)"
      "redis.register_function('g', function() end)";
  ASSERT_TRUE(functions.load(source, false).ok());
  sources.function_set = &functions.functions();
  sources.function_lua_bytes = 34 * 1024;
  config.mutable_settings().maxmemory = 1536 * 1024;
  const std::string text = build({"memory"});
  EXPECT_EQ(field(text, "number_of_functions"), "2");
  EXPECT_EQ(field(text, "number_of_libraries"), "1");
  EXPECT_GT(std::stoul(field(text, "used_memory_functions")), source.size());
  EXPECT_EQ(field(text, "used_memory_scripts"), field(text, "used_memory_functions"));
  EXPECT_EQ(field(text, "used_memory_vm_total_human"), "34.00K");
  EXPECT_EQ(field(text, "maxmemory_human"), "1.50M");
  EXPECT_EQ(field(text, "maxmemory_policy"), "noeviction");
  EXPECT_EQ(field(text, "used_memory_lua_human"), "0B");
  EXPECT_NE(field(text, "used_memory"), "(none)");
}

TEST_F(InfoTest, Persistence) {
  sources.persistence.rdb_last_bgsave_ok = false;
  sources.persistence.rdb_changes_since_last_save = 7;
  std::string text = build({"persistence"});
  EXPECT_EQ(field(text, "rdb_changes_since_last_save"), "7");
  EXPECT_EQ(field(text, "rdb_last_bgsave_status"), "err");
  EXPECT_EQ(field(text, "aof_last_write_status"), "ok");
  EXPECT_EQ(field(text, "aof_current_size"), "(none)");
  sources.persistence.aof_enabled = true;
  sources.persistence.aof_current_size = 99;
  text = build({"persistence"});
  EXPECT_EQ(field(text, "aof_enabled"), "1");
  EXPECT_EQ(field(text, "aof_current_size"), "99");
}

TEST_F(InfoTest, StatsAndErrors) {
  run({"ping"});
  run({"select", "99"});
  run({"nosuch"});
  executor.on_error_reply("MY:CODE text");
  const std::string text = build({"stats", "errorstats", "commandstats"});
  EXPECT_EQ(field(text, "total_error_replies"), "3");
  EXPECT_EQ(field(text, "errorstat_ERR"), "count=2");
  EXPECT_EQ(field(text, "errorstat_MY_CODE"), "count=1");
  EXPECT_TRUE(field(text, "cmdstat_ping").starts_with("calls=1,usec=")) << text;
  EXPECT_TRUE(field(text, "cmdstat_select").ends_with(",rejected_calls=0,failed_calls=1")) << text;
  EXPECT_EQ(field(text, "cmdstat_echo"), "(none)");
}

TEST_F(InfoTest, StatsOfLinksAndOfTheExpireCycle) {
  sources.links = {.reads = 1, .writes = 2, .buffers_grown = 3, .buffers_shrunk = 4};
  sources.expire_cycle = {.stale_share = 0.125, .out_of_time = 5, .spent_us = 6999};
  sources.persistence.dump_payload_sanitizations = 7;
  const std::string text = build({"stats"});
  EXPECT_EQ(field(text, "total_reads_processed"), "1");
  EXPECT_EQ(field(text, "total_writes_processed"), "2");
  EXPECT_EQ(field(text, "reply_buffer_expands"), "3");
  EXPECT_EQ(field(text, "reply_buffer_shrinks"), "4");
  EXPECT_EQ(field(text, "expired_stale_perc"), "12.50");
  EXPECT_EQ(field(text, "expired_time_cap_reached_count"), "5");
  EXPECT_EQ(field(text, "expire_cycle_cpu_milliseconds"), "6");
  EXPECT_EQ(field(text, "dump_payload_sanitizations"), "7");
}

TEST_F(InfoTest, TheExpireCycleCountsWhatItFindsExpired) {
  ExpireCycle cycle(executor, clock);
  Database& db = keyspace.database(0);
  for (int i = 0; i < 10; ++i) {
    db.set_expiry(db.set_string(std::to_string(i), "1"), clock.wall_ms() + (i < 5 ? 1 : 60'000));
  }
  EXPECT_FALSE(cycle.step());
  EXPECT_EQ(cycle.stats().stale_share, 0);
  clock.now_us += 2'000;
  keyspace.set_time(clock.wall_ms());
  EXPECT_FALSE(cycle.step());
  EXPECT_EQ(db.size(), 5u);
  // Of ten keys five, and then of five none.
  EXPECT_DOUBLE_EQ(cycle.stats().stale_share, 0.05 * 5 / 15);
  cycle.reset_stats();
  EXPECT_EQ(cycle.stats().stale_share, 0);
}

TEST_F(InfoTest, Keyspace) {
  Database& db = keyspace.database(2);
  db.set_string("a", "1");
  db.set_expiry(db.set_string("b", "1"), clock.wall_ms() + 1000);
  db.set_expiry(db.set_string("c", "1"), clock.wall_ms() + 3000);
  EXPECT_EQ(build({"keyspace"}), "# Keyspace\r\ndb2:keys=3,expires=2,avg_ttl=2000\r\n");
}

TEST(TrafficRatesTest, AreMeasuredOverTheLastSamples) {
  TrafficRates rates;
  EXPECT_EQ(rates.rates().commands, 0);
  TrafficTotals totals;
  for (int i = 0; i <= 40; ++i) {
    rates.sample(i * 100'000, totals);
    totals.commands += i < 20 ? 1000 : 10;
    totals.bytes_in += 5;
  }
  EXPECT_DOUBLE_EQ(rates.rates().commands, 100);
  EXPECT_DOUBLE_EQ(rates.rates().bytes_in, 50);
  rates.reset();
  EXPECT_EQ(rates.rates().commands, 0);
}

}  // namespace
}  // namespace tandem
