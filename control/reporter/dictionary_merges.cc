#include "control/reporter/dictionary_merges.h"

#include <algorithm>

namespace chartly::reporter {
namespace {

// With the values of a merge at most so many, about 12 MiB are kept.
constexpr size_t kMergesMax = 4;
constexpr size_t kValuesMax = size_t{1} << 15;

}  // namespace

MergedDictionary DictionaryMerges::Merge(const DictionaryPtr& left, const DictionaryPtr& right) {
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const Known& one) { return one.left == left && one.right == right; });
  if (found != known_.end()) {
    std::rotate(found, found + 1, known_.end());
    return known_.back().merged;
  }
  MergedDictionary merged = MergeDictionaries(*left, *right);
  if (left->size() + right->size() > kValuesMax) return merged;
  if (known_.size() == kMergesMax) known_.erase(known_.begin());
  known_.push_back({left, right, merged});
  return merged;
}

}  // namespace chartly::reporter
