#include "common/gate/address_budgets.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace chartly::gate {
namespace {

constexpr size_t kNetworkBytes = 8;  // of an address of IPv6
constexpr size_t kMappedAt = 12;     // where the address of IPv4 stands in one of IPv6
// Looking through all accounts is not done for each call while there is no room.
constexpr absl::Duration kForgetPause = absl::Seconds(1);

sockaddr_storage Parsed(absl::string_view host, uint16_t port) {
  const std::string text(host.substr(0, host.find('%')));  // without its interface
  sockaddr_storage address = {};
  sockaddr_in four = {};
  sockaddr_in6 six = {};
  if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&address, &four, sizeof four);
  } else if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&address, &six, sizeof six);
  }
  return address;
}

}  // namespace

std::string AddressKey(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof four);
    return std::string(reinterpret_cast<const char*>(&four.sin_addr), sizeof four.sin_addr);
  }
  if (address.ss_family != AF_INET6) return "";
  sockaddr_in6 six;
  std::memcpy(&six, &address, sizeof six);
  const char* bytes = reinterpret_cast<const char*>(&six.sin6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return std::string(bytes + kMappedAt, sizeof(in_addr));
  return std::string(bytes, kNetworkBytes);
}

std::string AddressKeyOf(absl::string_view host) { return AddressKey(Parsed(host, 0)); }

std::string EndpointOf(const sockaddr_storage& address) {
  std::string endpoint;
  uint16_t port = 0;
  if (address.ss_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof four);
    endpoint = AddressKey(address);
    port = four.sin_port;
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, &address, sizeof six);
    const char* bytes = reinterpret_cast<const char*>(&six.sin6_addr);
    const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
    endpoint = is_mapped ? AddressKey(address) : std::string(bytes, sizeof six.sin6_addr);
    port = six.sin6_port;
  } else {
    return endpoint;
  }
  return endpoint.append(reinterpret_cast<const char*>(&port), sizeof port);
}

std::string EndpointOf(absl::string_view host, uint16_t port) { return EndpointOf(Parsed(host, port)); }

AddressBudgets::Account AddressBudgets::Refilled(const Account& account, absl::Time now) const {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(now - account.at));
  return {std::min(budgets_.work_at_once, account.work + seconds * budgets_.work_a_second),
          std::min(budgets_.openings_at_once, account.openings + seconds * budgets_.openings_a_second), now};
}

AddressBudgets::Account AddressBudgets::Now(absl::string_view address, absl::Time now) const {
  auto known = accounts_.find(address);
  return known == accounts_.end() ? Whole(now) : Refilled(known->second, now);
}

bool AddressBudgets::IsWhole(const Account& account) const {
  return account.work >= budgets_.work_at_once && account.openings >= budgets_.openings_at_once;
}

void AddressBudgets::Forget(absl::Time now) {
  if (accounts_.size() < budgets_.addresses_max || now - forgotten_ < kForgetPause) return;
  forgotten_ = now;
  absl::erase_if(accounts_, [&](const auto& each) { return IsWhole(Refilled(each.second, now)); });
}

void AddressBudgets::Keep(absl::string_view address, const Account& account) {
  auto known = accounts_.find(address);
  if (known != accounts_.end()) {
    known->second = account;
    return;
  }
  Forget(account.at);
  if (accounts_.size() < budgets_.addresses_max) accounts_.emplace(std::string(address), account);
}

absl::Duration AddressBudgets::DrawWork(absl::string_view address, absl::Duration work, absl::Time now) {
  absl::MutexLock lock(&mu_);
  Account account = Now(address, now);
  const double memory = absl::ToDoubleSeconds(budgets_.memory);
  account.work = std::max(account.work - work, -memory * budgets_.work_a_second);
  Keep(address, account);
  return Lacks(account);
}

absl::Duration AddressBudgets::Lacks(const Account& account) const {
  if (account.work >= absl::ZeroDuration()) return absl::ZeroDuration();
  return absl::Seconds(absl::FDivDuration(-account.work, budgets_.work_a_second));
}

absl::Duration AddressBudgets::TakeTurn(absl::string_view address, absl::Duration work, absl::Duration patience,
                                        absl::Time now) {
  absl::MutexLock lock(&mu_);
  Account account = Now(address, now);
  const absl::Duration wait = Lacks(account);
  if (wait > patience) return absl::InfiniteDuration();
  account.work -= work;
  Keep(address, account);
  return wait;
}

bool AddressBudgets::HasWork(absl::string_view address, absl::Time now) const {
  absl::ReaderMutexLock lock(&mu_);
  return Now(address, now).work >= absl::ZeroDuration();
}

void AddressBudgets::DrawOpenings(absl::string_view address, double count, absl::Time now) {
  absl::MutexLock lock(&mu_);
  Account account = Now(address, now);
  const double memory = absl::ToDoubleSeconds(budgets_.memory);
  account.openings = std::max(account.openings - count, -memory * budgets_.openings_a_second);
  Keep(address, account);
}

bool AddressBudgets::MayOpen(absl::string_view address, absl::Time now) const {
  absl::ReaderMutexLock lock(&mu_);
  return Now(address, now).openings >= 1;
}

size_t AddressBudgets::size() const {
  absl::ReaderMutexLock lock(&mu_);
  return accounts_.size();
}

}  // namespace chartly::gate
