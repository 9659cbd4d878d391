// What Normalizer::Create is measured against.
#ifndef CHARTLY_COMMON_NORMALIZE_EXACT_NORMALIZER_FOR_TEST_H_
#define CHARTLY_COMMON_NORMALIZE_EXACT_NORMALIZER_FOR_TEST_H_

#include <memory>

#include "common/normalize/normalizer.h"

namespace chartly {

// A normalizer that takes no short way (PlainField). Requires: the profile has no faults.
std::unique_ptr<Normalizer> MakeExactNormalizerForTest(const Profile& profile);

}  // namespace chartly

#endif  // CHARTLY_COMMON_NORMALIZE_EXACT_NORMALIZER_FOR_TEST_H_
