// Where payloads come from. A Source gives the pages of one run, one after the other. Not thread-safe, but Cancel may
// be called from any thread.
//
// Errors carry a reason, and also come from reading the body of a page:
//   transient   SOURCE_UNREACHABLE (names host and port), SOURCE_TIMEOUT, SOURCE_TOO_SLOW, SOURCE_TRUNCATED,
//               SOURCE_HTTP_STATUS (5xx, 408, 425), SOURCE_CIRCUIT_OPEN (says until when)
//   throttled   SOURCE_THROTTLED (429; says when to ask again)
//   auth        SOURCE_AUTH (401, 403, or no token), SECRET_NOT_FOUND, SECRET_EXPOSED
//   permanent   SOURCE_HTTP_STATUS (others), SOURCE_TOO_LARGE (names limits.max_bytes, or a bomb), SOURCE_ENCODING,
//               EGRESS_DENIED (names the address and --egress-allow), PAGINATION_LOOP, FILE_NOT_FOUND, CANCELLED
// Transient and throttled ones were already tried again as the profile says, unless a part of the page was handed on:
// then the page is not begun anew, and the next run fetches it again.
#ifndef CHARTLY_DRONE_FETCH_SOURCE_H_
#define CHARTLY_DRONE_FETCH_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "chartly/storage/v1/cursor.pb.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/profile/profile.h"
#include "common/secrets/secrets.h"
#include "common/status/status.h"
#include "drone/decode/body.h"
#include "drone/decode/decoder.h"
#include "drone/fetch/fleet_quota.h"
#include "drone/fetch/host_gate.h"
#include "drone/fetch/token_cache.h"

namespace chartly::drone {

struct Page {
  uint32_t number = 0;  // one-based
  std::string uri;      // without secrets
  std::string content_type;
  std::unique_ptr<Body> body;  // refers to its Source; read to the end, or given up, before the next page
  absl::Time fetched_at;
};

// What was posted to a webhook.
struct Delivery {
  std::string id;
  std::string content_type;
  std::string body;
  absl::Time received_at;
};

// How far a source was read, kept with the spool (storage/v1/cursor.proto).
using Cursor = storage::v1::Cursor;

// What truncated_by() says, by the limit that was reached.
inline constexpr char kRunTimeoutLimit[] = "limits.run_timeout";
inline constexpr char kMaxPagesLimit[] = "limits.max_pages";
inline constexpr char kMaxBytesLimit[] = "limits.max_bytes";

// What Next returns after Cancel.
inline absl::Status CancelledError() {
  return Error(absl::StatusCode::kCancelled, "CANCELLED", "the run was cancelled while fetching");
}

class Source {
 public:
  virtual ~Source() = default;
  // The next page, or nothing at the end. `previous` is what decoding the page before gave; null for the first.
  // limits.max_pages, max_bytes and run_timeout hold: past them the source ends and truncated_by() says so. Within a
  // page the body fails first; with SOURCE_TOO_LARGE alone, and truncated_by() empty, if it is the first page.
  virtual absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) = 0;
  // The limit that ended it before the source did; empty if none.
  virtual const std::string& truncated_by() const = 0;
  // Whether the source said that nothing is new since the cursor; there are no pages then.
  virtual bool unmodified() const { return false; }
  // Takes up what the source itself has learnt for its next run (ETag, Last-Modified); the caller keeps it only if the
  // run came to a good end.
  virtual void Learn(Cursor& cursor) const { (void)cursor; }
  // Makes a running or later Next return Cancelled.
  virtual void Cancel() = 0;
};

struct SourceDeps {
  net::HttpClient& http;
  Clock& clock;
  std::string source_dir;  // root of file sources; a path outside it is refused
  // Secrets of this drone; null: sources that need one are refused with SECRET_NOT_FOUND.
  const Secrets* secrets = nullptr;
  // Where the last run of this profile got to; empty for the first.
  Cursor cursor = {};
  // Shared by all runs of the drone; null: the source has its own.
  HostGate* gate = nullptr;
  TokenCache* tokens = nullptr;
  absl::Time deadline = absl::InfiniteFuture();  // limits.run_timeout, by the steady clock
  // What a webhook source gives; must outlive it. Null: nothing.
  const std::vector<Delivery>* deliveries = nullptr;
  // Turns of limits.fleet_rate; null: it holds for this process alone.
  FleetQuota* quota = nullptr;
  // For what is measured, such as the deadline; null: `clock`.
  Clock* steady = nullptr;

  Clock& steady_clock() const { return steady == nullptr ? clock : *steady; }
};

absl::StatusOr<std::unique_ptr<Source>> OpenSource(const Profile& profile, const SourceDeps& deps);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_SOURCE_H_
