// From a text to the change of its profile: whether it is new, what it changes in the records, and what is to be
// written. Reads the store and writes nothing, so that a plan and its execution do the same.
//
// Thread-safe. The store must outlive it.
#ifndef CHARTLY_CONTROL_REGISTRY_REVISION_MAKER_H_
#define CHARTLY_CONTROL_REGISTRY_REVISION_MAKER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chartly/v1/registry.pb.h"
#include "common/profile/profile.h"
#include "control/registry/profile_commit.h"
#include "control/registry/profile_store.h"

namespace chartly::registry {

struct NewText {
  std::string content;
  std::string channel;  // dev, or empty for what the profile does already
  v1::ProfileOrigin origin;
  std::vector<v1::ProfileSignature> signatures;
};

struct Proposal {
  v1::PlanAction action = v1::PLAN_ACTION_UNSPECIFIED;
  v1::Profile base;                 // the revision it follows; empty if there is none
  v1::Profile revision;             // what the text is, or was already
  v1::Compatibility compatibility;  // of an update
  ProfileCommit commit;             // unless it is unchanged
};

class RevisionMaker {
 public:
  explicit RevisionMaker(const ProfileStore& store) : store_(store) {}
  // `parsed` is the text. FailedPrecondition: PROFILE_VERSION_REUSED, SIGNATURE_OLDER. InvalidArgument:
  // CHANNEL_INVALID, SIGNATURE_MALFORMED. Whether it breaks something is left to the caller (RequireConsent).
  absl::StatusOr<Proposal> Propose(ProfileHead before, const chartly::Profile& parsed, const NewText& text,
                                   const Author& author) const;
  // The signatures that are not kept yet, checked.
  absl::StatusOr<std::vector<v1::ProfileSignature>> FreshSignatures(
      const std::string& id, const std::string& revision, const std::vector<v1::ProfileSignature>& given) const;

 private:
  // What new texts follow: what dev has, or the head of a profile without channels.
  absl::StatusOr<v1::Profile> BaseOf(const ProfileHead& before) const;
  absl::Status CheckVersion(const chartly::Profile& parsed) const;

  const ProfileStore& store_;
};

}  // namespace chartly::registry

#endif  // CHARTLY_CONTROL_REGISTRY_REVISION_MAKER_H_
