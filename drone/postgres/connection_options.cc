#include "drone/postgres/connection_options.h"

#include "absl/strings/str_cat.h"

namespace chartly::drone {
namespace {

// No file can be there, so libpq goes on without one, whatever lies in the home folder.
constexpr char kNoFile[] = "/dev/null/none";
// A peer that does not even acknowledge bytes for so long is gone; bounds the request to cancel, too.
constexpr char kPeerGoneMs[] = "10000";

}  // namespace

ConnectionOptions OptionsOf(const PostgresTarget& target, const std::string& address,
                            const std::string& authorities_path) {
  // With a root certificate at hand libpq verifies more than `require` promises.
  const std::string root = target.tls == "verify-full" ? authorities_path : kNoFile;
  return {
      {"hostaddr", address},
      {"host", target.host},
      {"port", absl::StrCat(target.port)},
      {"dbname", target.database},
      {"user", target.user},
      // Without a secret the server refuses this one if it asks for any.
      {"password", target.password.empty() ? "-" : target.password},
      {"passfile", kNoFile},
      {"application_name", "chartly-drone"},
      {"client_encoding", "UTF8"},
      {"options", "-c default_transaction_read_only=on"},
      {"connect_timeout", "10"},
      {"tcp_user_timeout", kPeerGoneMs},
      {"target_session_attrs", "any"},
      {"load_balance_hosts", "disable"},
      {"sslmode", target.tls},
      {"sslnegotiation", "postgres"},
      {"sslrootcert", root},
      {"sslcert", kNoFile},
      {"sslkey", kNoFile},
      {"sslcertmode", "disable"},
      {"sslcrl", kNoFile},
      {"sslcrldir", kNoFile},
      {"sslcompression", "0"},
      {"sslsni", "1"},
      {"ssl_min_protocol_version", "TLSv1.2"},
      {"ssl_max_protocol_version", "TLSv1.3"},
      {"min_protocol_version", "3.0"},
      {"max_protocol_version", "3.0"},
      {"channel_binding", "prefer"},
      {"require_auth", "password,md5,scram-sha-256,none"},
      {"requirepeer", "postgres"},
      {"gssencmode", "disable"},
      {"gssdelegation", "0"},
      {"gsslib", "gssapi"},
      {"krbsrvname", "postgres"},
  };
}

}  // namespace chartly::drone
