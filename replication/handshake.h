#pragma once

#include <string>

namespace tandem {

// What a replica, or a tool that wants a snapshot, has said with REPLCONF before it asks for data.
struct ReplicaHandshake {
  int listening_port = 0;
  std::string ip_address;  // empty: the address it connects from
  bool capa_eof = false;
  bool capa_psync2 = false;
  bool capa_lz4 = false;
  bool version_given = false;       // without one it is a Redis 7.0, which reads RDB version 10
  bool reads_field_expiry = false;  // a version from 9 on, which reads RDB version 80
  bool rdb_only = false;            // a snapshot and no stream
  bool exclude_keys = false;        // rdb-filter-only
  bool exclude_functions = false;

  bool filtered() const { return exclude_keys || exclude_functions; }
};

}  // namespace tandem
