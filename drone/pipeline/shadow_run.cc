#include "drone/pipeline/shadow_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr size_t kShadowPieceBytes = size_t{32} << 10;
constexpr size_t kMaxErrorShown = 1024;

Profile WithLimits(Profile tried, const LimitsConfig& limits) {
  tried.limits = limits;
  return tried;
}

}  // namespace

// What was fed and not read yet.
class ShadowRun::Pipe final : public Body {
 public:
  // Gives the piece up if nobody reads any more.
  void Feed(absl::string_view piece) {
    absl::MutexLock lock(&mu_);
    auto room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return bytes_ < kPipeBytes || given_up_; };
    mu_.Await(absl::Condition(&room));
    if (given_up_) return;
    bytes_ += piece.size();
    pieces_.emplace_back(piece);
  }
  void End() {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }
  void GiveUp() {
    absl::MutexLock lock(&mu_);
    given_up_ = true;
    pieces_.clear();
  }
  absl::StatusOr<absl::string_view> Read() override {
    absl::MutexLock lock(&mu_);
    auto some = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !pieces_.empty() || ended_; };
    mu_.Await(absl::Condition(&some));
    if (pieces_.empty()) return absl::string_view();
    current_ = std::move(pieces_.front());
    pieces_.pop_front();
    bytes_ -= current_.size();
    return absl::string_view(current_);
  }

 private:
  absl::Mutex mu_;
  std::deque<std::string> pieces_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool given_up_ ABSL_GUARDED_BY(mu_) = false;
  std::string current_;  // the reader's
};

ShadowRun::ShadowRun(const Profile& running, Profile tried, Governor* governor)
    : tried_(WithLimits(std::move(tried), running.limits)), governor_(governor), diff_(running.key) {}

ShadowRun::~ShadowRun() { EndPage(/*whole=*/false); }

absl::Status ShadowRun::Prepare() {
  share_ = std::make_unique<Governor::Share>(governor_);
  RETURN_IF_ERROR(share_->Grow(kMostOfARun, never_cancelled_));
  ASSIGN_OR_RETURN(normalizer_, Normalizer::Create(tried_));
  ASSIGN_OR_RETURN(decoder_, Decoder::Create(tried_.source, normalizer_->paths()));
  rows_ = std::make_unique<PageRows>(tried_, *normalizer_, std::nullopt, [this](const std::string& batch, int64_t) {
    return diff_.Add(RecordDiff::Side::kTried, batch);
  });
  return absl::OkStatus();
}

void ShadowRun::Fail(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

void ShadowRun::BeginPage(const BatchHeader& origin, uint32_t page, const std::string& content_type,
                          const std::string& uri) {
  if (!prepared_ && status_.ok()) Fail(Prepare());
  prepared_ = true;
  if (!status_.ok()) return;
  rows_->BeginPage(origin, page, &never_cancelled_);
  pipe_ = std::make_unique<Pipe>();
  reader_ = std::thread([this, content_type, uri] {
    read_ = Read(content_type, uri);
    pipe_->GiveUp();
  });
}

absl::Status ShadowRun::Read(const std::string& content_type, const std::string& uri) {
  absl::Status decoded = decoder_->Decode(*pipe_, content_type, uri, *rows_).status();
  RETURN_IF_ERROR(rows_->Flush());
  // The limit that ends the run, too.
  return rows_->limit_reached() ? absl::OkStatus() : decoded;
}

void ShadowRun::Feed(absl::string_view piece) {
  if (pipe_ != nullptr) pipe_->Feed(piece);
}

void ShadowRun::EndPage(bool whole) {
  if (pipe_ == nullptr) return;
  pipe_->End();
  reader_.join();
  pipe_.reset();
  // Half of a page says nothing of how the other half would have been read.
  if (whole) Fail(read_);
}

void ShadowRun::TakeRunning(absl::string_view batch) {
  absl::Status added = diff_.Add(RecordDiff::Side::kRunning, batch);
  if (!added.ok()) Fail(added);
}

v1::ShadowResult ShadowRun::Finish(absl::string_view run_reason, absl::string_view run_error) {
  EndPage(/*whole=*/false);
  v1::ShadowResult result;
  diff_.Describe(result);
  result.set_revision(absl::StrCat("profiles/", tried_.id, "@", tried_.revision));
  std::string reason = Reason(status_);
  if (!status_.ok() && reason.empty()) reason = std::string(absl::StatusCodeToString(status_.code()));
  result.set_error_reason(status_.ok() ? std::string(run_reason) : reason);
  result.set_error(std::string((status_.ok() ? run_error : status_.message()).substr(0, kMaxErrorShown)));
  return result;
}

absl::StatusOr<absl::string_view> SharedBody::Read() {
  if (rest_.empty()) {
    ASSIGN_OR_RETURN(rest_, body_.Read());
  }
  absl::string_view piece = rest_.substr(0, kShadowPieceBytes);
  rest_.remove_prefix(piece.size());
  if (!piece.empty()) shadow_.Feed(piece);
  return piece;
}

void SharedBody::ReadRest() {
  while (true) {
    absl::StatusOr<absl::string_view> piece = Read();
    if (!piece.ok() || piece->empty()) return;
  }
}

}  // namespace chartly::drone
