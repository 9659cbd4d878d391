#include "control/reporter/piece_memory.h"

namespace chartly::reporter {
namespace {

constexpr int64_t kBytesMax = int64_t{8} << 20;
// One in so many may be new: else others come each time, and those of before would only be in the way.
constexpr size_t kNewOneIn = 64;

}  // namespace

DictionaryPtr FieldDictionary::Finish(BigVector<uint32_t>& codes) {
  if (before_ > 0 && builder_.size() > before_ + before_ / kNewOneIn) comes_again_ = false;
  if (!comes_again_ || builder_.bytes() > kBytesMax) {
    before_ = 0;
    return builder_.Finish(codes);
  }
  before_ = builder_.size();
  return builder_.FinishAndKeep(codes);
}

}  // namespace chartly::reporter
