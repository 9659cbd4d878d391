#include "control/aggregator/deletion_list.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "control/aggregator/eraser.h"
#include "control/aggregator/page_token.h"

namespace chartly::aggregator {
namespace {

constexpr int kPageDefault = 100;
constexpr int kPageMax = 1000;

}  // namespace

absl::StatusOr<v1::ListDeletionsResponse> ListDeletions(const RecordReader& store,
                                                        const v1::ListDeletionsRequest& request,
                                                        const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size(), kPageDefault, kPageMax));
  ASSIGN_OR_RETURN(const std::string token, FromPageToken(request.page_token(), 8));
  const uint64_t skip = token.empty() ? 0 : ReadBigEndian64(token);
  std::vector<StoredDeletion> all;
  RETURN_IF_ERROR(
      store.ScanDeletions(request.profile_id(), [&](uint64_t, const StoredDeletion& deletion) -> absl::StatusOr<bool> {
        if (projects.Includes(deletion.profile_id())) all.push_back(deletion);
        return true;
      }));
  std::stable_sort(all.begin(), all.end(),
                   [](const StoredDeletion& a, const StoredDeletion& b) { return a.deleted_us() > b.deleted_us(); });
  v1::ListDeletionsResponse response;
  for (size_t i = skip; i < all.size() && response.deletions_size() < limit; ++i) {
    *response.add_deletions() = Describe(all[i]);
  }
  if (skip + static_cast<size_t>(response.deletions_size()) < all.size()) {
    std::string next;
    AppendBigEndian64(next, skip + static_cast<size_t>(response.deletions_size()));
    response.set_next_page_token(ToHex(next));
  }
  return response;
}

absl::StatusOr<v1::ListLegalHoldsResponse> ListLegalHolds(const RecordReader& store,
                                                          const v1::ListLegalHoldsRequest& request,
                                                          const rpc::ProjectScope& projects) {
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size(), kPageDefault, kPageMax));
  ASSIGN_OR_RETURN(const auto holds, store.Holds());
  std::string last;
  v1::ListLegalHoldsResponse response;
  for (auto hold = holds.upper_bound(request.page_token()); hold != holds.end(); ++hold) {
    if (!projects.Includes(hold->first)) continue;
    if (response.legal_holds_size() == limit) {
      response.set_next_page_token(last);
      break;
    }
    last = hold->first;
    *response.add_legal_holds() = Describe(hold->first, hold->second);
  }
  return response;
}

}  // namespace chartly::aggregator
