#include "drone/pipeline/pipeline.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/proto_time.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "drone/decode/decoder.h"
#include "drone/fetch/source.h"
#include "drone/pipeline/page_body.h"
#include "drone/pipeline/page_rows.h"

namespace chartly::drone {

namespace {

// Large payloads whose hash the end of a run tells; a run with more of them is cut off by its limits long before.
constexpr size_t kMaxPayloadsNoted = 1000;

}  // namespace

class Pipeline::Impl {
 public:
  Impl(RunSpec spec, PipelineDeps deps) : spec_(std::move(spec)), deps_(std::move(deps)) {}

  v1::RunEnd Run() {
    v1::RunEnd end;
    end.set_run_id(spec_.run_id);
    end.set_profile_id(spec_.profile.id);
    end.set_revision(Revision());
    end.set_drone_id(spec_.drone_id);
    *end.mutable_started_at() = ToTimestamp(deps_.clock.Now());
    Describe(RunPages(), end);
    *end.mutable_finished_at() = ToTimestamp(deps_.clock.Now());
    return end;
  }

  void Cancel() {
    cancelled_ = true;
    absl::MutexLock lock(&mu_);
    if (source_ != nullptr) source_->Cancel();
  }

 private:
  std::string Revision() const {
    return spec_.profile.revision.empty() ? ""
                                          : absl::StrCat("profiles/", spec_.profile.id, "@", spec_.profile.revision);
  }

  absl::Status RunPages() {
    ASSIGN_OR_RETURN(std::unique_ptr<Normalizer> normalizer, Normalizer::Create(spec_.profile));
    ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Create(spec_.profile.source, normalizer->paths()));
    ASSIGN_OR_RETURN(std::unique_ptr<Source> source,
                     OpenSource(spec_.profile, {deps_.http, deps_.clock, deps_.source_dir, deps_.secrets, {}}));
    SetSource(source.get());
    PageRows rows(spec_.profile, *normalizer,
                  [this](std::string batch, int64_t fetched) { return HandOn(std::move(batch), fetched); });
    absl::Status status = ReadPages(*source, *decoder, rows);
    truncated_by_ = rows.limit_reached() ? "limits.max_records" : source->truncated_by();
    SetSource(nullptr);
    return status;
  }

  // Cancel may come at any time; it reaches the source only while there is one.
  void SetSource(Source* source) {
    absl::MutexLock lock(&mu_);
    source_ = source;
    if (source_ != nullptr && cancelled_) source_->Cancel();
  }

  absl::Status ReadPages(Source& source, Decoder& decoder, PageRows& rows) {
    std::optional<DecodeResult> previous;
    while (true) {
      if (cancelled_) return absl::CancelledError("the run was cancelled");
      ASSIGN_OR_RETURN(std::optional<Page> page, source.Next(previous ? &*previous : nullptr));
      if (!page) return absl::OkStatus();
      ++pages_;
      TellProgress(rows.fetched());
      PageBody body(*page->body);
      body.ReadAhead(kReadAheadBytes);
      bool known = body.whole();
      rows.BeginPage(Origin(*page, body.sha256()), page->number, &cancelled_);
      absl::StatusOr<DecodeResult> decoded = decoder.Decode(body, page->content_type, page->uri, rows);
      Count("chartly_fetch_bytes_total", static_cast<double>(body.bytes()));
      if (!known && body.whole()) NotePayload(*page, body);
      // Rows before an error count as fetched, so they go on first.
      absl::Status flushed = rows.Flush();
      TellProgress(rows.fetched());
      if (rows.limit_reached()) return flushed;
      if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat(page->uri, " page ", page->number));
      RETURN_IF_ERROR(flushed);
      previous = *std::move(decoded);
    }
  }

  BatchHeader Origin(const Page& page, const std::string& sha256) const {
    BatchHeader origin;
    origin.set_tenant("default");
    origin.set_profile_id(spec_.profile.id);
    origin.set_revision(Revision());
    origin.set_run_id(spec_.run_id);
    origin.set_drone_id(spec_.drone_id);
    origin.set_source_uri(page.uri);
    origin.set_payload_sha256(sha256);
    origin.set_observed_us(absl::ToUnixMicros(page.fetched_at));
    for (const std::string& dim : spec_.profile.key) origin.add_key(dim);
    return origin;
  }

  // Batches of a large payload are on their way before its hash is known; the end of the run tells it.
  void NotePayload(const Page& page, const PageBody& body) {
    if (payloads_.size() >= kMaxPayloadsNoted) return;
    v1::RunPayload& payload = payloads_.emplace_back();
    payload.set_page(page.number);
    payload.set_source_uri(page.uri);
    payload.set_sha256(body.sha256());
    payload.set_bytes(body.bytes());
  }

  absl::Status HandOn(std::string batch, int64_t fetched) {
    RETURN_IF_ERROR(deps_.sink.Append(std::move(batch), fetched));
    handed_on_ += fetched;
    Count("chartly_rows_total", static_cast<double>(fetched), "fetched");
    TellProgress(handed_on_);
    return absl::OkStatus();
  }

  void TellProgress(int64_t fetched) {
    if (deps_.progress) deps_.progress(fetched, handed_on_, pages_);
  }

  void Describe(const absl::Status& status, v1::RunEnd& end) {
    // What could not be handed on was not taken: the next run fetches it again.
    end.set_fetched(handed_on_);
    end.set_pages(pages_);
    for (v1::RunPayload& payload : payloads_) *end.add_payloads() = std::move(payload);
    if (status.ok()) {
      end.set_truncated(!truncated_by_.empty());
      if (end.truncated()) end.set_error(absl::StrCat(truncated_by_, " of the profile cut the run off"));
      return;
    }
    std::string reason = Reason(status);
    bool stopped = absl::IsCancelled(status) || reason == "CANCELLED";
    end.set_cancelled(cancelled_ && stopped);
    if (end.cancelled()) {
      reason = "RUN_CANCELLED";
    } else if (reason.empty()) {
      reason = std::string(absl::StatusCodeToString(status.code()));
    }
    end.set_error_reason(reason);
    end.set_error(end.cancelled() ? "the run was cancelled" : std::string(status.message()));
  }

  const RunSpec spec_;
  const PipelineDeps deps_;
  std::atomic<bool> cancelled_ = false;
  int64_t handed_on_ = 0;
  int32_t pages_ = 0;
  std::vector<v1::RunPayload> payloads_;
  std::string truncated_by_;
  absl::Mutex mu_;
  Source* source_ ABSL_GUARDED_BY(mu_) = nullptr;
};

Pipeline::Pipeline(RunSpec spec, PipelineDeps deps) : impl_(std::make_unique<Impl>(std::move(spec), std::move(deps))) {}
Pipeline::~Pipeline() = default;
v1::RunEnd Pipeline::Run() { return impl_->Run(); }
void Pipeline::Cancel() { impl_->Cancel(); }

}  // namespace chartly::drone
