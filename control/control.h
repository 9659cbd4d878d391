// The composition of chartly-control: builds the parts that were asked for, connects them, and takes them down again.
//
// Start and Shutdown are called from one thread; Shutdown is safe twice.
#ifndef CHARTLY_CONTROL_CONTROL_H_
#define CHARTLY_CONTROL_CONTROL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/backup/restore.h"
#include "common/config/parts.h"
#include "common/kube/kube_client.h"
#include "common/s3/bucket.h"

namespace chartly::control {

struct ControlConfig {
  std::vector<Part> parts;                 // which run in this process
  std::string data_dir = ".chartly";       // every part keeps its state in a folder below
  std::string listen = "127.0.0.1:8090";   // the gateway; the ports of the other parts follow its port
  std::string rpc_host = "127.0.0.1";      // where gRPC and the admin port listen
  std::map<Part, std::string> rpc_listen;  // overrides, one part each
  std::map<Part, std::string> peers;       // parts in other processes
  std::string admin_listen;                // empty: the default admin port of the first part
  std::string key_file;                    // empty: data_dir/admin.key
  std::string registry_api_key;            // from REGISTRY_API_KEY; accepted beside the admin key
  bool rpc_tls = false;                    // gRPC takes TLS only, from callers with a certificate of our authority
  std::string tls_dir;                     // the authority and the certificate of this process; empty: data_dir/tls
  absl::Duration certificate_life = absl::Hours(24);  // of drones, and of this process
  std::string tls_certificate;                        // PEM files of the gateway: it takes TLS only; empty: plaintext
  std::string tls_key;
  absl::Duration session_idle = absl::Hours(1);  // after which the session of a browser ends unused
  absl::Duration session_life = absl::Hours(12);
  std::string oidc_issuer;  // whose signed tokens are taken; empty: none
  std::string oidc_audience;
  std::string oidc_role_claim = "groups";
  std::string oidc_tenant_claim;             // empty: all tokens are of the default tenant
  std::string oidc_project_claim;            // empty: no token is bound to projects
  std::vector<std::string> oidc_roles;       // ROLE=VALUE of the claim
  std::string oidc_ca_file;                  // authorities to trust for the issuer beside those of the machine
  std::vector<std::string> trusted_proxies;  // CIDRs of proxies before the gateway, whose X-Forwarded-For is believed
  std::string anonymous_role;                // none or viewer; empty: viewer if all of this process is on loopback
  std::string secrets_dir;                   // keys of webhooks; empty: only the environment
  std::string ports_file;                    // if set, the bound addresses are written there as JSON
  std::string audit_origin;                  // name of the audit log; empty: one is made up
  std::string audit_checkpoints;             // file to which every checkpoint of the audit log is appended; empty: none
  std::string audit_webhook;                 // where every checkpoint of the audit log is posted; empty: nowhere
  std::string audit_webhook_key;             // NAME/KEY of the secret that signs it
  int audit_keep_days = 0;                   // how long events of the audit log stay; 0: for good
  absl::Duration heartbeat_interval = absl::Seconds(1);
  // The pods whose readiness gates the observer opens, and the account it does that with; none if empty.
  std::string gate_selector;
  std::string kube_folder = kube::kAccountFolder;
  std::string backup_dir;                                 // where backups lie; empty: none can be made
  size_t backup_keep = 14;                                // backups that stay
  absl::Duration backup_log_interval = absl::Seconds(5);  // between archivings of what was written; zero: none
  size_t backup_log_bytes = size_t{1} << 30;              // of each store that may wait to be archived
  s3::BucketConfig backup_bucket;                         // where they are copied to; without a url nowhere
  absl::Duration retention_interval = absl::Hours(1);
  size_t dedupe_bytes = size_t{1} << 30;
  size_t memory_bytes = size_t{256} << 20;
  size_t report_bytes = size_t{256} << 20;  // that all reports together may take

  std::string oidc_client_id;            // as which people sign in at the issuer; empty: nobody does
  std::string oidc_client_secret_file;   // empty: a public client
  std::vector<std::string> oidc_scopes;  // beside openid
  std::string public_url;                // where browsers reach the page
};

// Restores the parts of `config` from its backup folder, or from the bucket what that lacks, into its data folder, and
// says on standard output what it was and what to do next. As backup::Restore.
absl::Status RestoreControl(const ControlConfig& config, const backup::RestoreTarget& target);

class Control {
 public:
  virtual ~Control() = default;
  // Opens the stores, binds the ports and serves. An error names the part, port, file or folder and what to do.
  static absl::StatusOr<std::unique_ptr<Control>> Start(const ControlConfig& config);
  // Stops taking work, drains, and closes the stores, within 10 s.
  virtual void Shutdown() = 0;
};

// Reads the flags, runs until SIGTERM or SIGINT, and gives the exit code: 0, 1 for a failure, 2 for wrong flags.
int RunControl(int argc, char** argv);

}  // namespace chartly::control

#endif  // CHARTLY_CONTROL_CONTROL_H_
