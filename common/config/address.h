// "host:port" in flags and URLs.
#ifndef CHARTLY_COMMON_CONFIG_ADDRESS_H_
#define CHARTLY_COMMON_CONFIG_ADDRESS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace chartly {

struct Address {
  std::string host;
  int port = 0;
  std::string ToString() const;
};

// "127.0.0.1:8090", "[::1]:8090", "localhost:0", also behind http:// or https:// and with a path after it.
// InvalidArgument (ADDRESS_INVALID) names the text.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Whether only this host reaches what listens there: localhost, 127.0.0.0/8 or ::1.
bool IsLoopback(absl::string_view host);

// "registry=host:port" as (name, address). InvalidArgument names the text.
absl::StatusOr<std::pair<std::string, std::string>> ParseNamedAddress(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CONFIG_ADDRESS_H_
