#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/net/http_client.h"
#include "common/status/status.h"

namespace chartly::net {
namespace {

constexpr size_t kAddressBytes = 16;
using AddressBytes = std::array<unsigned char, kAddressBytes>;

struct Block {
  const char* prefix;
  int bits;
};

// What is not a public unicast address (IANA special-purpose registries). 192.88.99.0/24 is the retired 6to4 relay.
constexpr Block kClosedV4[] = {
    {"0.0.0.0", 8},     {"10.0.0.0", 8},      {"100.64.0.0", 10},  {"127.0.0.0", 8},    {"169.254.0.0", 16},
    {"172.16.0.0", 12}, {"192.0.0.0", 24},    {"192.0.2.0", 24},   {"192.88.99.0", 24}, {"192.168.0.0", 16},
    {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};

// Only 2000::/3 is handed out as public unicast; these parts of it are not, or carry an IPv4 address of anyone's
// choice (6to4 2002::/16 and NAT64 are judged by that address; Teredo hides it behind a server, so it is closed).
constexpr Block kClosedV6[] = {
    {"2001::", 23},
    {"2001:db8::", 32},
    {"3fff::", 20},
};
constexpr Block kPublicV6 = {"2000::", 3};
constexpr Block kMappedV4 = {"::ffff:0:0", 96};
constexpr Block kNat64 = {"64:ff9b::", 96};
constexpr Block kSixToFour = {"2002::", 16};

AddressBytes Mapped(const unsigned char* v4) {
  AddressBytes bytes{};
  bytes[10] = bytes[11] = 0xff;
  std::memcpy(bytes.data() + 12, v4, 4);
  return bytes;
}

std::optional<AddressBytes> ParseAddress(const std::string& text, bool* is_v4 = nullptr) {
  AddressBytes bytes{};
  in_addr v4{};
  if (is_v4 != nullptr) *is_v4 = false;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    if (is_v4 != nullptr) *is_v4 = true;
    return Mapped(reinterpret_cast<const unsigned char*>(&v4));
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

// Without the zone of fe80::1%eth0.
std::optional<AddressBytes> ParseZonedAddress(absl::string_view text) {
  return ParseAddress(std::string(text.substr(0, text.find('%'))));
}

bool InPrefix(const unsigned char* address, const unsigned char* prefix, int bits) {
  int whole = bits / 8;
  if (std::memcmp(address, prefix, static_cast<size_t>(whole)) != 0) return false;
  int rest = bits % 8;
  if (rest == 0) return true;
  unsigned mask = 0xffu << (8 - rest) & 0xffu;
  return (address[whole] & mask) == (prefix[whole] & mask);
}

bool InV6(const AddressBytes& address, const Block& block) {
  AddressBytes prefix{};
  inet_pton(AF_INET6, block.prefix, prefix.data());
  return InPrefix(address.data(), prefix.data(), block.bits);
}

bool IsPublicV4(const unsigned char* address) {
  return std::none_of(std::begin(kClosedV4), std::end(kClosedV4), [&](const Block& block) {
    in_addr prefix{};
    inet_pton(AF_INET, block.prefix, &prefix);
    return InPrefix(address, reinterpret_cast<const unsigned char*>(&prefix), block.bits);
  });
}

// The IPv4 address that packets to `address` end at, if it is one of the forms that carry one.
const unsigned char* EmbeddedV4(const AddressBytes& address) {
  if (InV6(address, kMappedV4) || InV6(address, kNat64)) return address.data() + 12;
  if (InV6(address, kSixToFour)) return address.data() + 2;
  return nullptr;
}

bool IsPublic(const AddressBytes& address) {
  if (const unsigned char* v4 = EmbeddedV4(address)) return IsPublicV4(v4);
  if (!InV6(address, kPublicV6)) return false;
  return std::none_of(std::begin(kClosedV6), std::end(kClosedV6),
                      [&](const Block& block) { return InV6(address, block); });
}

}  // namespace

absl::StatusOr<std::vector<EgressPolicy::Range>> EgressPolicy::ParseRanges(const std::vector<std::string>& cidrs) {
  std::vector<Range> ranges;
  for (const std::string& text : cidrs) {
    size_t slash = text.find('/');
    bool is_v4 = false;
    std::optional<AddressBytes> address = ParseAddress(text.substr(0, slash), &is_v4);
    int most = is_v4 ? 32 : 128;
    int bits = most;
    bool bits_ok = slash == std::string::npos || absl::SimpleAtoi(text.substr(slash + 1), &bits);
    if (!address || !bits_ok || bits < 0 || bits > most) {
      return Error(
          absl::StatusCode::kInvalidArgument, "CIDR_INVALID",
          absl::StrCat("\"", text, "\" is not an address range; write it like 10.0.0.0/8, 127.0.0.1 or fd00::/8"),
          {{"cidr", text}});
    }
    ranges.push_back({std::string(address->begin(), address->end()), is_v4 ? bits + 96 : bits});
  }
  return ranges;
}

absl::StatusOr<EgressPolicy> EgressPolicy::Create(const std::vector<std::string>& allowed_cidrs,
                                                  const std::optional<std::vector<std::string>>& within) {
  EgressPolicy policy;
  ASSIGN_OR_RETURN(policy.allowed_, ParseRanges(allowed_cidrs));
  if (!within) return policy;
  ASSIGN_OR_RETURN(policy.within_, ParseRanges(*within));
  return policy;
}

EgressPolicy EgressPolicy::AllowAll() {
  EgressPolicy policy;
  policy.allow_all_ = true;
  return policy;
}

bool EgressPolicy::Allows(absl::string_view address) const {
  if (allow_all_) return true;
  std::optional<AddressBytes> bytes = ParseZonedAddress(address);
  return bytes && !LeavesOut(address) && (IsPublic(*bytes) || Opens(address));
}

bool EgressPolicy::Opens(absl::string_view address) const {
  return allow_all_ || (!LeavesOut(address) && Contain(allowed_, address));
}

bool EgressPolicy::LeavesOut(absl::string_view address) const { return within_ && !Contain(*within_, address); }

bool EgressPolicy::Contain(const std::vector<Range>& ranges, absl::string_view address) {
  std::optional<AddressBytes> bytes = ParseZonedAddress(address);
  if (!bytes) return false;
  auto contained = [&](const AddressBytes& candidate) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
      return InPrefix(candidate.data(), reinterpret_cast<const unsigned char*>(range.bytes.data()), range.prefix_bits);
    });
  };
  const unsigned char* v4 = EmbeddedV4(*bytes);
  return contained(*bytes) || (v4 != nullptr && contained(Mapped(v4)));
}

std::string EgressPolicy::Refusal(absl::string_view address) const {
  if (LeavesOut(address)) return "which the consent file of this drone leaves out; ask who owns its host";
  return absl::StrCat("which is not public; if it may be reached, start the drone with --egress-allow ", address,
                      absl::StrContains(address, ":") ? "/128" : "/32");
}

}  // namespace chartly::net
