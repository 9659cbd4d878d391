#include "control/aggregator/record_store.h"

#include <algorithm>

namespace chartly::aggregator {

bool IsDeleted(const PartMeta& part, uint64_t batch) {
  auto behind =
      std::upper_bound(part.deleted().begin(), part.deleted().end(), batch,
                       [](uint64_t sought, const storage::v1::BatchRange& range) { return sought < range.first(); });
  return behind != part.deleted().begin() && batch <= std::prev(behind)->last();
}

}  // namespace chartly::aggregator
