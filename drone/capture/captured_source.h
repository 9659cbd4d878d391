// Kept payloads of a profile as a source, in the order in which they were fetched, each a page with the address and the
// time of its fetch. Nobody is asked anything. Limits of the profile do not hold: payloads were held to them when they
// were fetched. See drone/fetch/source.h for the contract.
//
// What cannot be given is passed over and told by left_out().
#ifndef CHARTLY_DRONE_CAPTURE_CAPTURED_SOURCE_H_
#define CHARTLY_DRONE_CAPTURE_CAPTURED_SOURCE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "drone/capture/capture_store.h"
#include "drone/fetch/source.h"

namespace chartly::drone {

// Payloads that a run over kept ones left out, and why the first of them.
struct LeftOut {
  int64_t payloads = 0;
  std::string reason;  // CAPTURE_DAMAGED, CAPTURE_REMOVED, CAPTURE_OF_ANOTHER_SOURCE, PAYLOAD_…
  std::string message;

  void Add(int64_t count, std::string why, std::string text);
};

class CapturedSource final : public Source {
 public:
  // FailedPrecondition if there is nothing to give: CAPTURE_NOT_FOUND, CAPTURE_OF_ANOTHER_SOURCE. `source_digest`: of
  // the revision that is to read them; payloads that were fetched with another one are left out. `store` must outlive
  // it.
  static absl::StatusOr<std::unique_ptr<CapturedSource>> Open(CaptureStore& store, const std::string& profile_id,
                                                              absl::Time since, const std::string& source_digest);

  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override { cancelled_ = true; }

  // Of the page that was given last.
  const std::string& sha256() const { return fetches_[next_ - 1].sha256(); }
  // The page that was given last cannot be read.
  void LeaveOut(const absl::Status& why);
  const LeftOut& left_out() const { return left_out_; }

 private:
  CapturedSource(CaptureStore& store, std::string profile_id, std::vector<CaptureStore::Fetch> fetches,
                 LeftOut left_out)
      : store_(store),
        profile_id_(std::move(profile_id)),
        fetches_(std::move(fetches)),
        left_out_(std::move(left_out)) {}

  CaptureStore& store_;
  const std::string profile_id_;
  const std::vector<CaptureStore::Fetch> fetches_;
  LeftOut left_out_;
  size_t next_ = 0;
  uint32_t pages_ = 0;
  const std::string truncated_by_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_CAPTURE_CAPTURED_SOURCE_H_
