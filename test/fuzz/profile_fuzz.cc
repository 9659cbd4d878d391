#include "common/normalize/normalizer.h"
#include "common/normalize/validate.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly {

FUZZ_TARGET(profile) {
  ProfileParseResult parsed = ValidateProfile(input);
  for (const ProfileFault& fault : parsed.faults) {
    FUZZ_CHECK(!fault.message.empty() && !fault.reason.empty() && fault.line >= 0);
  }
  FormatFaults("profile.yaml", parsed.faults);
  if (!parsed.ok()) return;
  // What is without faults can be used, and is the same text taken apart.
  FUZZ_CHECK(Normalizer::Create(parsed.profile).ok());
  FUZZ_CHECK(!FlattenProfile(input).empty());
}

}  // namespace chartly
