// Asks the process of a part to copy its store for a backup, and to drop copies.
//
// Thread-safe. After Cancel, which ends the calls under way, every call fails with Cancelled.
#ifndef CHARTLY_CONTROL_OBSERVER_PART_COPIES_H_
#define CHARTLY_CONTROL_OBSERVER_PART_COPIES_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "chartly/storage/v1/backup.pb.h"
#include "common/config/parts.h"
#include "common/rpc/peers.h"

namespace chartly::observer {

struct KeptCopies {
  std::vector<uint32_t> numbers;
  std::vector<storage::v1::LogPosition> positions;
};

class PartCopies {
 public:
  virtual ~PartCopies() = default;
  // The copy, without checksums of its files. Blocks until it is made.
  virtual absl::StatusOr<storage::v1::PartBackup> Make(Part part) = 0;
  // Drops all copies but these, and of archived logs what lies before them.
  virtual absl::Status Keep(Part part, const KeptCopies& kept) = 0;
  virtual void Cancel() = 0;
};

class RpcPartCopies final : public PartCopies {
 public:
  // The peers must outlive it.
  explicit RpcPartCopies(const rpc::Peers& peers) : peers_(peers) {}
  absl::StatusOr<storage::v1::PartBackup> Make(Part part) override;
  absl::Status Keep(Part part, const KeptCopies& kept) override;
  void Cancel() override;

 private:
  absl::Status Call(absl::Duration timeout, const std::function<grpc::Status(grpc::ClientContext&)>& call);

  const rpc::Peers& peers_;
  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_PART_COPIES_H_
