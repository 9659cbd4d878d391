// A file of trusted certificate authorities for a library that takes nothing but a path. Not thread-safe; the path is
// good for as long as this lives.
#ifndef CHARTLY_DRONE_POSTGRES_AUTHORITIES_H_
#define CHARTLY_DRONE_POSTGRES_AUTHORITIES_H_

#include <string>

#include "absl/status/statusor.h"

namespace chartly::drone {

class AuthoritiesFile {
 public:
  // The authorities of the machine and those of `pem` (PEM texts, may be empty). ResourceExhausted if there is no
  // memory for it.
  static absl::StatusOr<AuthoritiesFile> Create(const std::string& pem);
  ~AuthoritiesFile();
  AuthoritiesFile(AuthoritiesFile&& other) noexcept;
  AuthoritiesFile& operator=(AuthoritiesFile&&) = delete;

  const std::string& path() const { return path_; }

 private:
  AuthoritiesFile() = default;
  int fd_ = -1;
  std::string path_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_POSTGRES_AUTHORITIES_H_
