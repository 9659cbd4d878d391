// Who a caller is, from the API key of the call.
#ifndef CHARTLY_COMMON_RPC_AUTHENTICATOR_H_
#define CHARTLY_COMMON_RPC_AUTHENTICATOR_H_

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly::rpc {

// The identity behind one call. Plain data; made anew for each call and never kept with a connection.
struct Caller {
  std::string principal = "anonymous";
  bool can_write = false;
  std::string tenant = "default";
  std::string request_id;
};

// Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Anonymous for an empty key; Unauthenticated (API_KEY_UNKNOWN) for a wrong one.
  virtual absl::StatusOr<Caller> Authenticate(absl::string_view api_key) const = 0;
};

// Compares with a fixed list of keys in constant time; keeps only their SHA-256.
class KeyAuthenticator final : public Authenticator {
 public:
  // (principal, key); empty keys are left out.
  explicit KeyAuthenticator(const std::vector<std::pair<std::string, std::string>>& keys);
  absl::StatusOr<Caller> Authenticate(absl::string_view api_key) const override;

 private:
  struct Entry {
    std::string principal;
    std::array<unsigned char, 32> digest;
  };
  std::vector<Entry> entries_;
};

// The admin key in `path`: read, or made (256 bit, mode 0600, fsynced) if the file is absent. FailedPrecondition
// (KEY_FILE_OPEN) if others may read the file.
absl::StatusOr<std::string> LoadOrCreateAdminKey(const std::string& path);

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_AUTHENTICATOR_H_
