#include "drone/pipeline/pipeline.h"

#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/proto_time.h"
#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "drone/capture/captured_source.h"
#include "drone/decode/decoder.h"
#include "drone/fetch/source.h"
#include "drone/pipeline/page_body.h"
#include "drone/pipeline/page_rows.h"
#include "drone/pipeline/run_fields.h"
#include "drone/pipeline/sink_ahead.h"

namespace chartly::drone {

namespace {

// Large payloads whose hash the end of a run tells; a run with more of them is cut off by its limits long before.
constexpr size_t kMaxPayloadsNoted = 1000;

}  // namespace

class Pipeline::Impl {
 public:
  Impl(RunSpec spec, PipelineDeps deps)
      : placed_(UsesPartition(spec.profile.source)),
        spec_(InPlace(std::move(spec), deps.clock.Now())),
        deps_(std::move(deps)) {
    if (deps_.cursor.revision() == Revision() && !Beside()) last_cursor_ = deps_.cursor;
    // What was said of another part of time says nothing of this one.
    if (placed_) last_cursor_.clear_etag();
    if (placed_) last_cursor_.clear_last_modified();
    // A source that says that nothing is new gives nothing to read along.
    if (deps_.shadow != nullptr) last_cursor_.clear_etag();
    if (deps_.shadow != nullptr) last_cursor_.clear_last_modified();
  }

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

  const std::optional<Cursor>& cursor() const { return cursor_; }

  void Cancel() {
    cancelled_ = true;
    absl::MutexLock lock(&mu_);
    if (source_ != nullptr) source_->Cancel();
  }

 private:
  // Whether it leaves alone what is known of how far the source was read.
  bool Beside() const { return spec_.partition.has_value() || spec_.replay_since.has_value(); }

  std::string Revision() const {
    return spec_.profile.revision.empty() ? ""
                                          : absl::StrCat("profiles/", spec_.profile.id, "@", spec_.profile.revision);
  }

  // The part of time in its places.
  static RunSpec InPlace(RunSpec spec, absl::Time now) {
    SourceConfig& source = spec.profile.source;
    const TimePart part = spec.partition ? *spec.partition : LivePart(source.partition, now);
    if (UsesPartition(source)) source = ForPart(std::move(source), part);
    // A source over HTTP is not told a watermark beside the part; a query of SQL has to be given one, the first.
    if (spec.partition && source.type == SourceType::kHttpRest) source.incremental = IncrementalConfig();
    if (spec.replay_since) spec.profile.limits.max_records = std::numeric_limits<int64_t>::max();
    return spec;
  }

  absl::Status RunPages() {
    if (spec_.partition && !placed_) {
      return Error(absl::StatusCode::kFailedPrecondition, "PROFILE_NOT_PARTITIONED",
                   absl::StrCat("the source of ", Revision(), " has no place for a part of time (source.partition)"));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<Normalizer> normalizer, Normalizer::Create(spec_.profile));
    std::vector<std::string> paths = normalizer->paths();
    std::optional<size_t> watermark_slot = AddWatermark(paths);
    ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Create(spec_.profile.source, paths));
    ASSIGN_OR_RETURN(std::unique_ptr<Source> source, OpenPages());
    SetSource(source.get());
    PageRows rows(spec_.profile, *normalizer, watermark_slot, [this, &rows](std::string batch, int64_t fetched) {
      return HandOn(std::move(batch), fetched, rows.newest());
    });
    absl::Status status = ReadPages(*source, *decoder, rows);
    status.Update(ahead_.Finish());
    share_.reset();
    truncated_by_ = rows.limit_reached() ? "limits.max_records" : source->truncated_by();
    unmodified_ = source->unmodified();
    const bool whole = status.ok() && truncated_by_.empty();
    if (whole && !unmodified_ && !spec_.replay_since) CheckExpected(rows);
    if (whole && unexpected_.empty() && !Beside()) {
      cursor_ = CursorAt(rows.newest());
      source->Learn(*cursor_);
    }
    SetSource(nullptr);
    if (captured_ != nullptr) left_out_ = captured_->left_out();
    captured_ = nullptr;
    return status;
  }

  absl::StatusOr<std::unique_ptr<Source>> OpenPages() {
    if (!spec_.replay_since) return OpenSource(spec_.profile, SourceDepsOf());
    ASSIGN_OR_RETURN(std::unique_ptr<CapturedSource> source,
                     CapturedSource::Open(*deps_.captures, spec_.profile.id, *spec_.replay_since, spec_.source_digest));
    captured_ = source.get();
    return source;
  }

  // The decoder reads the field of the watermark, too, if the mapping does not.
  std::optional<size_t> AddWatermark(std::vector<std::string>& paths) const {
    const std::string& field = spec_.profile.source.incremental.field;
    if (field.empty() || FindWatermark(spec_.profile) != nullptr) return std::nullopt;
    paths.push_back(field);
    return paths.size() - 1;
  }

  SourceDeps SourceDepsOf() const {
    SourceDeps deps{deps_.http, deps_.clock, deps_.source_dir, deps_.secrets, last_cursor_, deps_.gate, deps_.tokens};
    deps.deliveries = &spec_.deliveries;
    deps.quota = deps_.quota;
    deps.steady = deps_.steady;
    deps.deadline = deps.steady_clock().Now() + spec_.profile.limits.run_timeout;
    return deps;
  }

  Cursor CursorAt(const Value& newest) const {
    Cursor cursor;
    cursor.set_revision(Revision());
    cursor.set_watermark(newest.is_null() ? last_cursor_.watermark() : newest.ToText());
    return cursor;
  }

  // Whether the run shows what the profile expects of a whole one.
  void CheckExpected(const PageRows& rows) {
    const ExpectConfig& expect = spec_.profile.expect;
    double most = expect.max_quarantined * static_cast<double>(rows.fetched());
    if (rows.kept() < expect.min_records) {
      unexpected_ = absl::StrCat("the run gave ", rows.kept(), " records, expect.min_records is ", expect.min_records);
    } else if (static_cast<double>(rows.quarantined()) > most) {
      unexpected_ =
          absl::StrCat(rows.quarantined(), " of ", rows.fetched(),
                       " rows are in quarantine, expect.max_quarantined is ", expect.max_quarantined * 100, "%");
    }
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
      PageBody body(*page->body, [this](int64_t bytes) { return share_->Grow(kTakenPerByte * bytes, cancelled_); });
      RETURN_IF_ERROR(ReadAhead(body));
      const bool known = body.whole() || captured_ != nullptr;
      BatchHeader origin = Origin(*page, body.sha256());
      std::unique_ptr<CaptureStore::Intake> intake = Capture(*page, body, origin);
      rows.BeginPage(origin, page->number, &cancelled_);
      absl::StatusOr<DecodeResult> decoded = Decode(*page, origin, body, decoder, rows);
      if (!spec_.replay_since) Count("chartly_fetch_bytes_total", static_cast<double>(body.bytes()));
      const bool kept = intake != nullptr && body.whole() && intake->Keep(body.sha256(), body.bytes());
      if (!known && body.whole()) NotePayload(*page, body, kept);
      // Rows before an error count as fetched, so they go on first.
      absl::Status flushed = rows.Flush();
      TellProgress(rows.fetched());
      bool cut_off = !decoded.ok() && !source.truncated_by().empty();
      if (rows.limit_reached() || cut_off) return flushed;
      absl::Status read = decoded.status();
      // Others behind a payload that cannot be read are here already.
      const bool passed_over = captured_ != nullptr && absl::StartsWith(Reason(read), "PAYLOAD_");
      if (passed_over) captured_->LeaveOut(std::exchange(read, absl::OkStatus()));
      if (!read.ok()) return Annotate(read, absl::StrCat(page->uri, " page ", page->number));
      RETURN_IF_ERROR(flushed);
      if (decoded.ok()) previous = *std::move(decoded);
    }
  }

  // Keeps a payload that was read ahead as a whole before its first row is on its way; a larger one while it is read.
  std::unique_ptr<CaptureStore::Intake> Capture(const Page& page, PageBody& body, BatchHeader& origin) {
    if (captured_ != nullptr) {
      origin.set_payload_sha256(captured_->sha256());
      origin.set_captured(true);
      return nullptr;
    }
    const std::optional<CaptureConfig>& bounds = spec_.profile.capture;
    if (deps_.captures == nullptr || !bounds) return nullptr;
    CaptureStore::Fetch fetch;
    fetch.set_fetched_us(origin.observed_us());
    fetch.set_run_id(spec_.run_id);
    fetch.set_page(page.number);
    fetch.set_source_uri(page.uri);
    fetch.set_content_type(page.content_type);
    fetch.set_revision(Revision());
    fetch.set_source_digest(spec_.source_digest);
    if (body.whole()) {
      fetch.set_sha256(body.sha256());
      fetch.set_bytes(body.bytes());
      origin.set_captured(deps_.captures->Keep(spec_.profile.id, *bounds, std::move(fetch), body.ahead()));
      return nullptr;
    }
    std::unique_ptr<CaptureStore::Intake> intake = deps_.captures->Begin(spec_.profile.id, *bounds, std::move(fetch));
    intake->Add(body.ahead());
    body.Tap([taker = intake.get()](absl::string_view piece) { taker->Add(piece); });
    return intake;
  }

  absl::StatusOr<DecodeResult> Decode(const Page& page, const BatchHeader& origin, PageBody& body, Decoder& decoder,
                                      PageRows& rows) {
    if (deps_.shadow == nullptr) return decoder.Decode(body, page.content_type, page.uri, rows);
    deps_.shadow->BeginPage(origin, page.number, page.content_type, page.uri);
    SharedBody shared(body, *deps_.shadow);
    absl::StatusOr<DecodeResult> decoded = decoder.Decode(shared, page.content_type, page.uri, rows);
    // Also where the run could not make sense of it: the other text may.
    if (!cancelled_ && !rows.limit_reached()) shared.ReadRest();
    deps_.shadow->EndPage(body.whole());
    return decoded;
  }

  absl::Status ReadAhead(PageBody& body) {
    share_.emplace(deps_.governor);
    RETURN_IF_ERROR(share_->Grow(kReadAheadBytes, cancelled_));
    body.ReadAhead(kReadAheadBytes);
    share_->Settle();
    return share_->Grow(body.whole() ? kTakenPerByte * body.bytes() : kMostOfARun, cancelled_);
  }

  BatchHeader Origin(const Page& page, const std::string& sha256) const {
    BatchHeader origin;
    origin.set_tenant(spec_.tenant);
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
  void NotePayload(const Page& page, const PageBody& body, bool kept) {
    if (payloads_.size() >= kMaxPayloadsNoted) return;
    v1::RunPayload& payload = payloads_.emplace_back();
    payload.set_page(page.number);
    payload.set_source_uri(page.uri);
    payload.set_sha256(body.sha256());
    payload.set_bytes(body.bytes());
    payload.set_captured(kept);
  }

  absl::Status HandOn(std::string batch, int64_t fetched, const Value& newest) {
    // Only if the oldest come first is everything before this batch known to be here.
    const bool moves = spec_.profile.source.incremental.ascending && !newest.is_null() && !Beside();
    std::optional<Cursor> cursor;
    if (moves) cursor = CursorAt(newest);
    RETURN_IF_ERROR(fields_.Add(batch));
    if (deps_.shadow != nullptr) deps_.shadow->TakeRunning(batch);
    RETURN_IF_ERROR(ahead_.Append(std::move(batch), fetched, std::move(cursor)));
    Count("chartly_rows_total", static_cast<double>(fetched), "fetched");
    TellProgress(ahead_.done());
    share_->Settle();
    return deps_.governor == nullptr ? absl::OkStatus() : deps_.governor->Admit(cancelled_);
  }

  void TellProgress(int64_t fetched) {
    if (deps_.progress) deps_.progress(fetched, ahead_.done(), pages_);
  }

  void Describe(const absl::Status& status, v1::RunEnd& end) {
    // What could not be handed on was not taken: the next run fetches it again.
    end.set_fetched(ahead_.done());
    end.set_pages(pages_);
    for (v1::RunPayload& payload : payloads_) *end.add_payloads() = std::move(payload);
    end.set_unmodified(unmodified_);
    fields_.AddTo(end);
    if (status.ok() && !unexpected_.empty()) {
      end.set_truncated(true);
      end.set_error_reason("EXPECTATION_FAILED");
      end.set_error(unexpected_);
      return;
    }
    if (status.ok() && left_out_.payloads > 0) {
      end.set_truncated(true);
      end.set_error_reason(left_out_.reason);
      end.set_error(absl::StrCat(left_out_.payloads, " kept payloads were left out, first ", left_out_.message));
      return;
    }
    if (status.ok()) {
      end.set_truncated(!truncated_by_.empty());
      if (end.truncated()) end.set_error(absl::StrCat(truncated_by_, " of the profile cut the run off"));
      if (truncated_by_ == kRunTimeoutLimit) end.set_error_reason("RUN_TIMEOUT");
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

  const bool placed_;  // whether the source has places for a part of time
  const RunSpec spec_;
  const PipelineDeps deps_;
  std::optional<Governor::Share> share_;  // while pages are read
  std::atomic<bool> cancelled_ = false;
  SinkAhead ahead_{deps_.sink};
  int32_t pages_ = 0;
  std::vector<v1::RunPayload> payloads_;
  RunFields fields_;
  std::string truncated_by_;
  std::string unexpected_;  // what the run lacks; empty if nothing
  bool unmodified_ = false;
  CapturedSource* captured_ = nullptr;  // while a run over kept payloads reads them
  LeftOut left_out_;
  Cursor last_cursor_;
  std::optional<Cursor> cursor_;
  absl::Mutex mu_;
  Source* source_ ABSL_GUARDED_BY(mu_) = nullptr;
};

Pipeline::Pipeline(RunSpec spec, PipelineDeps deps) : impl_(std::make_unique<Impl>(std::move(spec), std::move(deps))) {}
Pipeline::~Pipeline() = default;
v1::RunEnd Pipeline::Run() { return impl_->Run(); }
const std::optional<Cursor>& Pipeline::cursor() const { return impl_->cursor(); }
void Pipeline::Cancel() { impl_->Cancel(); }

}  // namespace chartly::drone
