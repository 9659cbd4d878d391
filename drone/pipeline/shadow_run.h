// Tries another revision over the payloads of a run while it goes on: each page is read a second time, piece by piece
// as it passes, by a decoder and a mapping of its own, and what comes of it is compared and thrown away. The source is
// asked nothing more, and nothing that goes wrong here touches the run.
//
// The run's thread calls everything; the second reading has a thread of its own within a page. Memory is bounded: what
// is read ahead of it waits (kPipeBytes), and it takes a share of the governor like a run.
#ifndef CHARTLY_DRONE_PIPELINE_SHADOW_RUN_H_
#define CHARTLY_DRONE_PIPELINE_SHADOW_RUN_H_

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "chartly/v1/shadow.pb.h"
#include "common/batch/batch.h"
#include "common/normalize/normalizer.h"
#include "common/profile/profile.h"
#include "drone/decode/body.h"
#include "drone/decode/decoder.h"
#include "drone/pipeline/governor.h"
#include "drone/pipeline/page_rows.h"
#include "drone/pipeline/record_diff.h"

namespace chartly::drone {

inline constexpr size_t kPipeBytes = size_t{128} << 10;

class ShadowRun {
 public:
  // `tried` keeps to the limits of `running`, whose key tells records apart. A revision that cannot be read so is told
  // by Finish. `governor` may be null; it must outlive this.
  ShadowRun(const Profile& running, Profile tried, Governor* governor);
  ~ShadowRun();
  ShadowRun(const ShadowRun&) = delete;
  ShadowRun& operator=(const ShadowRun&) = delete;

  void BeginPage(const BatchHeader& origin, uint32_t page, const std::string& content_type, const std::string& uri);
  // A piece of the page. Waits while kPipeBytes wait.
  void Feed(absl::string_view piece);
  // Waits until all of it was read. `whole`: whether the run read it to its end.
  void EndPage(bool whole);
  // A batch of the run's own records.
  void TakeRunning(absl::string_view batch);
  // After the run: what differs. `run_reason` and `run_error` are those of the run's end: a run that failed was tried
  // as far as it came.
  v1::ShadowResult Finish(absl::string_view run_reason, absl::string_view run_error);

 private:
  class Pipe;
  absl::Status Prepare();
  void Fail(const absl::Status& status);
  absl::Status Read(const std::string& content_type, const std::string& uri);

  const Profile tried_;
  Governor* const governor_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<PageRows> rows_;
  std::unique_ptr<Governor::Share> share_;
  RecordDiff diff_;
  const std::atomic<bool> never_cancelled_ = false;
  absl::Status status_;  // the run's thread alone, between pages
  bool prepared_ = false;
  std::unique_ptr<Pipe> pipe_;  // of the page under way
  std::thread reader_;
  absl::Status read_;  // the reader's, until it is joined
};

// A body that a shadow reads along, in pieces small enough to wait for it.
class SharedBody final : public Body {
 public:
  // Both must outlive it.
  SharedBody(Body& body, ShadowRun& shadow) : body_(body), shadow_(shadow) {}
  absl::StatusOr<absl::string_view> Read() override;
  // Reads what is left, for the shadow alone.
  void ReadRest();

 private:
  Body& body_;
  ShadowRun& shadow_;
  absl::string_view rest_;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_SHADOW_RUN_H_
