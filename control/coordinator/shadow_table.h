// Texts that are tried over what the next run of a profile fetches, one a profile, and what came of the last one. What
// is decided is durable with the next transaction.
//
// A run that ends without having tried it gives the text to the next one, a few times. Not thread-safe: the coordinator
// guards it.
#ifndef CHARTLY_CONTROL_COORDINATOR_SHADOW_TABLE_H_
#define CHARTLY_CONTROL_COORDINATOR_SHADOW_TABLE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/coordinator.pb.h"
#include "chartly/v1/coordinator.pb.h"
#include "common/state/state_store.h"

namespace chartly::coordinator {

inline constexpr char kShadowPrefix[] = "shadow/";
// Texts that wait, in all: each may have 256 KiB.
inline constexpr size_t kMaxShadows = 10'000;

class ShadowTable {
 public:
  absl::Status Load(const StateStore& store);

  // Takes a text for the next run, in place of the one before. InvalidArgument (PROFILE_INVALID, SHADOW_OF_ANOTHER),
  // FailedPrecondition (SHADOW_FETCH_DIFFERS) against the text that runs now; ResourceExhausted (SHADOWS_TOO_MANY).
  absl::StatusOr<v1::Shadow> Ask(const std::string& profile_id, const v1::ShadowProfileRequest& request,
                                 absl::string_view running, absl::Time now);
  // Adds the text to an order that is given out, if one waits for a run of this profile, or for this very run. One that
  // would fetch something else than what runs fails instead.
  void AddTo(v1::RunOrder& order, const std::string& drone_id, absl::Time now);
  // A drone told of a run. Says whether a shadow changed.
  bool TakeProgress(const std::string& profile_id, const v1::RunProgress& progress, absl::Time now);
  // The runs that are to try a text, with their profiles.
  std::vector<std::pair<std::string, std::string>> Running() const;
  // A run is over, and its drone will not tell of it any more: the next one tries the text.
  void GiveUpRun(const std::string& profile_id, absl::string_view why, absl::Time now);
  void RemoveProfile(absl::string_view profile_id);

  // NotFound (SHADOW_NOT_FOUND).
  absl::StatusOr<v1::Shadow> Get(absl::string_view profile_id) const;
  // Null if there was none.
  const v1::Shadow* Find(absl::string_view profile_id) const;

  void AddTo(StateTransaction& transaction) const;
  void Written() {
    unwritten_.clear();
    deleted_.clear();
  }

 private:
  void End(const std::string& profile_id, v1::ShadowState state, absl::string_view reason, absl::string_view message,
           absl::Time now);

  std::map<std::string, storage::v1::StoredShadow, std::less<>> entries_;
  std::set<std::string> unwritten_;
  std::set<std::string> deleted_;
};

// Short enough for lists.
v1::Shadow WithoutExamples(v1::Shadow shadow);

}  // namespace chartly::coordinator

#endif  // CHARTLY_CONTROL_COORDINATOR_SHADOW_TABLE_H_
