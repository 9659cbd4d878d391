// Payloads of profiles on the drone's disk, as they were fetched, so that a mended profile can be run over them without
// asking the source again (docs/captures.md, docs/formats/captures.md). A payload is named by its SHA-256 and lies
// there once for each profile, however often it is fetched.
//
// What was kept longest ago goes first: past the bounds of its profile, past max_bytes of all, and while the disk has
// less than min_free_bytes left. A payload is on the disk before the index names it, so a crash leaves no name without
// its payload. Whatever fails here is logged and counted and touches no run.
//
// Thread-safe. One store owns its folder; the clock must outlive it.
#ifndef CHARTLY_DRONE_CAPTURE_CAPTURE_STORE_H_
#define CHARTLY_DRONE_CAPTURE_CAPTURE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/capture.pb.h"
#include "chartly/v1/capture.pb.h"
#include "common/clock/clock.h"
#include "common/profile/profile.h"
#include "drone/capture/capture_index.h"
#include "drone/capture/packed_file.h"
#include "drone/decode/body.h"

namespace chartly::drone {

struct CaptureStoreOptions {
  std::string folder;
  int64_t max_bytes = int64_t{256} << 20;  // of all profiles; 0: nothing is kept
  int64_t min_free_bytes = int64_t{64} << 20;
  size_t max_fetches = 10'000;  // of a profile
};

class CaptureStore {
 public:
  using Fetch = storage::v1::CapturedFetch;

  // A payload that is too large to be in memory, while it is read. Not thread-safe; removes what was not kept.
  class Intake {
   public:
    void Add(absl::string_view piece);
    // After the last piece: whether the payload is kept, and on the disk.
    bool Keep(const std::string& sha256, int64_t bytes);

   private:
    friend class CaptureStore;
    Intake(CaptureStore& store, std::string profile_id, const CaptureConfig& bounds, Fetch fetch);
    CaptureStore& store_;
    const std::string profile_id_;
    const CaptureConfig bounds_;
    Fetch fetch_;
    absl::Status status_;
    std::unique_ptr<PackedFile> file_;
  };

  // Makes the folder if it is absent, and takes away what a crash left in the middle.
  static absl::StatusOr<std::unique_ptr<CaptureStore>> Open(CaptureStoreOptions options, Clock& clock);

  // Whether the payload is kept, and on the disk. Requires: `fetch` has its size and hash.
  bool Keep(const std::string& profile_id, const CaptureConfig& bounds, Fetch fetch, absl::string_view payload);
  // Begins to keep one that comes in pieces.
  std::unique_ptr<Intake> Begin(const std::string& profile_id, const CaptureConfig& bounds, Fetch fetch);
  // Keeps nothing of the profile any more.
  void Forget(const std::string& profile_id);
  // Lets go of what is too old, or in the way of others on the disk. Cheap, and waits for nobody; call it now and then.
  void Tidy();

  // What is kept of a profile and was fetched at `since` or later, in the order of fetching.
  absl::StatusOr<std::vector<Fetch>> Fetches(const std::string& profile_id, absl::Time since) const;
  // The payload, which was read once and is what was fetched. NotFound (CAPTURE_REMOVED) if it was let go of meanwhile;
  // DataLoss (CAPTURE_DAMAGED) if it is missing or not what its name says: then it is taken away, so that the same
  // payload is kept again once it is fetched.
  absl::StatusOr<std::unique_ptr<Body>> OpenPayload(const std::string& profile_id, const Fetch& fetch);

  // What is kept, for the coordinator: all of it, or what changed since the last report. False if there is nothing to
  // tell.
  bool Report(bool complete, v1::CaptureReport& report);

 private:
  // What is kept of a profile.
  struct Shelf {
    storage::v1::CaptureBounds bounds;
    int64_t fetches = 0;
    int64_t payload_bytes = 0;
    int64_t index_bytes = 0;
    int64_t oldest_us = 0;
    int64_t newest_us = 0;
    int64_t bytes() const { return payload_bytes + index_bytes; }
  };
  // Whether the oldest fetch that is left goes, given what the shelf takes with it and how many fetches are left.
  using Goes = std::function<bool(const Fetch& oldest, int64_t bytes, size_t left)>;

  CaptureStore(CaptureStoreOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadShelf(const std::string& profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string FolderOf(const std::string& profile_id) const;
  std::string PathOf(const std::string& profile_id, const std::string& sha256) const;
  bool Has(const std::string& profile_id, const std::string& sha256) const;
  absl::StatusOr<CaptureIndex> ReadIndex(const std::string& profile_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Files a fetch whose payload is in `file`, or there already if that is null.
  absl::Status File(const std::string& profile_id, const CaptureConfig& bounds, Fetch fetch, PackedFile* file)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Prepare(const std::string& profile_id, const CaptureConfig& bounds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Append(const std::string& profile_id, const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LetGo(const std::string& profile_id, const char* cause, const Goes& goes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Replaces the index; a profile of which nothing is left goes as a whole.
  absl::Status WriteIndex(const std::string& profile_id, CaptureIndex& index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveFolder(const std::string& profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepBounds(const std::string& profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepWhole() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t Total() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What all may take now: max_bytes, or less on a full disk.
  int64_t Allowance() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Recount(const std::string& profile_id, const CaptureIndex& index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const std::string& profile_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status TakeAwayDamaged(const std::string& profile_id, const Fetch& fetch, absl::string_view why);

  const CaptureStoreOptions options_;
  Clock& clock_;
  mutable absl::Mutex mu_;  // held over writes to the disk
  std::map<std::string, Shelf> shelves_ ABSL_GUARDED_BY(mu_);
  int64_t next_name_ ABSL_GUARDED_BY(mu_) = 1;
  absl::Time tidied_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  // Apart, so that a slow disk holds up no heartbeat.
  absl::Mutex told_mu_ ABSL_ACQUIRED_AFTER(mu_);
  std::map<std::string, v1::Capture> told_ ABSL_GUARDED_BY(told_mu_);
  std::set<std::string> changed_ ABSL_GUARDED_BY(told_mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_CAPTURE_CAPTURE_STORE_H_
