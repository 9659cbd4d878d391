#include "drone/capture/captured_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::drone {
namespace {

using Fetch = CaptureStore::Fetch;

constexpr char kOfAnotherSource[] = "CAPTURE_OF_ANOTHER_SOURCE";

std::string TimeText(absl::Time time) { return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone()); }

absl::Status NothingKept(const std::string& profile_id, absl::Time since) {
  const std::string when =
      since == absl::InfinitePast() ? "" : absl::StrCat(" that was fetched since ", TimeText(since));
  return Error(absl::StatusCode::kFailedPrecondition, "CAPTURE_NOT_FOUND",
               absl::StrCat("this drone keeps no payload of profile ", profile_id, when,
                            "; capture: in the profile says how much is kept, and for how long"));
}

}  // namespace

void LeftOut::Add(int64_t count, std::string why, std::string text) {
  payloads += count;
  if (!reason.empty()) return;
  reason = std::move(why);
  message = std::move(text);
}

absl::StatusOr<std::unique_ptr<CapturedSource>> CapturedSource::Open(CaptureStore& store, const std::string& profile_id,
                                                                     absl::Time since,
                                                                     const std::string& source_digest) {
  ASSIGN_OR_RETURN(std::vector<Fetch> fetches, store.Fetches(profile_id, since));
  if (fetches.empty()) return NothingKept(profile_id, since);
  auto others = std::stable_partition(fetches.begin(), fetches.end(),
                                      [&](const Fetch& fetch) { return fetch.source_digest() == source_digest; });
  LeftOut left_out;
  if (others != fetches.end()) {
    const auto count = static_cast<int64_t>(fetches.end() - others);
    Count("chartly_capture_replayed_total", static_cast<double>(count), "of_another_source");
    left_out.Add(count, kOfAnotherSource,
                 absl::StrCat("they were fetched from what another revision, ", others->revision(),
                              ", says in its source, so this one cannot tell what they mean"));
    fetches.erase(others, fetches.end());
  }
  if (fetches.empty()) return Error(absl::StatusCode::kFailedPrecondition, kOfAnotherSource, left_out.message);
  return std::unique_ptr<CapturedSource>(
      new CapturedSource(store, profile_id, std::move(fetches), std::move(left_out)));
}

absl::StatusOr<std::optional<Page>> CapturedSource::Next(const DecodeResult*) {
  while (next_ < fetches_.size()) {
    if (cancelled_) return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled");
    const Fetch& fetch = fetches_[next_++];
    absl::StatusOr<std::unique_ptr<Body>> body = store_.OpenPayload(profile_id_, fetch);
    if (body.ok()) {
      Count("chartly_capture_replayed_total", 1, "read");
      return Page{++pages_, fetch.source_uri(), fetch.content_type(), *std::move(body),
                  absl::FromUnixMicros(fetch.fetched_us())};
    }
    LeaveOut(body.status());
  }
  return std::nullopt;
}

void CapturedSource::LeaveOut(const absl::Status& why) {
  const Fetch& fetch = fetches_[next_ - 1];
  const std::string reason = Reason(why).empty() ? "CAPTURE_UNREADABLE" : Reason(why);
  const bool kept = reason != "CAPTURE_DAMAGED" && reason != "CAPTURE_REMOVED";
  Count("chartly_capture_replayed_total", 1, kept ? "unreadable" : reason == "CAPTURE_REMOVED" ? "removed" : "damaged");
  left_out_.Add(1, reason,
                absl::StrCat("page ", fetch.page(), " of run ", fetch.run_id(), ", fetched at ",
                             TimeText(absl::FromUnixMicros(fetch.fetched_us())), " (sha256:", fetch.sha256(),
                             "): ", why.message()));
  LogWarn("kept payload left out", {{"profile", profile_id_}, {"reason", reason}, {"sha256", fetch.sha256()}});
}

}  // namespace chartly::drone
