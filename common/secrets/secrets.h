// The secrets of a process. A profile names them (secretRef) and never holds them; they lie on the host that needs them
// (sources: the drone's, webhooks: the control plane's) and do not leave it: no log, error or metric shows one.
// Thread-safe.
#ifndef CHARTLY_COMMON_SECRETS_SECRETS_H_
#define CHARTLY_COMMON_SECRETS_SECRETS_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/profile/profile.h"

namespace chartly {

class Secrets {
 public:
  // `dir` holds one folder a secret and one file a key, as Kubernetes mounts them; empty: only the environment.
  explicit Secrets(std::string dir) : dir_(std::move(dir)) {}
  // The same without the environment, for whom not everything there is meant.
  static Secrets OfFolder(std::string dir) {
    Secrets secrets(std::move(dir));
    secrets.reads_environment_ = false;
    return secrets;
  }

  // The text of file DIR/NAME/KEY without its last line end, read anew each time so that rotation needs no restart;
  // else of the variable CHARTLY_SECRET_NAME_KEY (upper case, other characters as _). NotFound (SECRET_NOT_FOUND) names
  // both places; PermissionDenied (SECRET_EXPOSED) if every user may read the file.
  absl::StatusOr<std::string> Get(const SecretRef& ref) const;

 private:
  std::string dir_;
  bool reads_environment_ = true;
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_SECRETS_SECRETS_H_
