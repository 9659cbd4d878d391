#include "common/gate/address_budgets.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace chartly::gate {
namespace {

constexpr size_t kNetworkBytes = 8;  // of an address of IPv6
constexpr size_t kMappedAt = 12;     // where the address of IPv4 stands in one of IPv6
// Looking through all accounts is not done for each call while there is no room.
constexpr absl::Duration kForgetPause = absl::Seconds(1);

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
  if (account.work >= absl::ZeroDuration()) return absl::ZeroDuration();
  return absl::Seconds(absl::FDivDuration(-account.work, budgets_.work_a_second));
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
