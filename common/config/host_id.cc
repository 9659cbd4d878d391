#include "common/config/host_id.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"

namespace chartly {
namespace {

constexpr size_t kMostOfAnId = 63;

}  // namespace

std::string HostId(const std::string& otherwise) {
  char host[256] = {};
  ::gethostname(host, sizeof(host) - 1);
  std::string id;
  for (char c : absl::AsciiStrToLower(host)) id.push_back(absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '-');
  id.resize(std::min(id.size(), kMostOfAnId));
  return id.empty() || id[0] == '-' ? otherwise : id;
}

}  // namespace chartly
