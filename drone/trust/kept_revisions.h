// Revisions of profiles in a folder of the drone's disk, one file a profile, each with a checksum.
//
// Thread-safe for different profiles; of one, its owner puts one after the other.
#ifndef CHARTLY_DRONE_TRUST_KEPT_REVISIONS_H_
#define CHARTLY_DRONE_TRUST_KEPT_REVISIONS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "chartly/storage/v1/trust.pb.h"

namespace chartly::drone {

class KeptRevisions {
 public:
  // Makes the folder if it is absent. At most `max_bytes` are kept in it: what was written longest ago goes first.
  static absl::StatusOr<KeptRevisions> Open(const std::string& folder, int64_t max_bytes);
  // NotFound if there is none; DataLoss (KEPT_REVISION_DAMAGED) if the file is not what was written.
  absl::StatusOr<storage::v1::KeptRevision> Find(const std::string& profile_id) const;
  // On disk when it returns OK.
  absl::Status Put(const storage::v1::KeptRevision& revision);

 private:
  KeptRevisions(std::string folder, int64_t max_bytes) : folder_(std::move(folder)), max_bytes_(max_bytes) {}
  void MakeRoom(const std::string& spare) const;

  std::string folder_;
  int64_t max_bytes_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_TRUST_KEPT_REVISIONS_H_
