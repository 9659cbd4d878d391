// Merges of dictionaries, the last few of which are kept: pieces of a report mostly join the same values again, as the
// times of each series. Not thread-safe.
#ifndef CHARTLY_CONTROL_REPORTER_DICTIONARY_MERGES_H_
#define CHARTLY_CONTROL_REPORTER_DICTIONARY_MERGES_H_

#include <vector>

#include "control/reporter/dictionary.h"

namespace chartly::reporter {

class DictionaryMerges {
 public:
  // As MergeDictionaries. Of the same dictionaries, not only equal ones, it is known.
  MergedDictionary Merge(const DictionaryPtr& left, const DictionaryPtr& right);

 private:
  struct Known {
    DictionaryPtr left;
    DictionaryPtr right;
    MergedDictionary merged;
  };
  std::vector<Known> known_;  // the one that was asked for last is last
};

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_DICTIONARY_MERGES_H_
