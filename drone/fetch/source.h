// Where payloads come from. A Source gives the pages of one run, one after the other. Not thread-safe, but Cancel may
// be called from any thread.
//
// Errors carry a reason: SOURCE_UNREACHABLE (names host and port), SOURCE_HTTP_STATUS (names the status),
// SOURCE_TIMEOUT, SOURCE_TRUNCATED, SOURCE_TOO_LARGE (names limits.max_bytes), EGRESS_DENIED (names the address and
// --egress-allow), FILE_NOT_FOUND, CANCELLED, and also come from reading the body of a page. Transient ones were
// already retried as the profile says.
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
#include "drone/decode/body.h"
#include "drone/decode/decoder.h"

namespace chartly::drone {

struct Page {
  uint32_t number = 0;  // one-based
  std::string uri;      // without secrets
  std::string content_type;
  std::unique_ptr<Body> body;  // refers to its Source; read to the end, or given up, before the next page
  absl::Time fetched_at;
};

// How far a source was read, kept with the spool (storage/v1/cursor.proto).
using Cursor = storage::v1::Cursor;

class Source {
 public:
  virtual ~Source() = default;
  // The next page, or nothing at the end. `previous` is what decoding the page before gave; null for the first.
  // limits.max_pages and max_bytes hold: past them the source ends and truncated() is true.
  virtual absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) = 0;
  // Whether a limit ended it before the source did; names the limit.
  virtual const std::string& truncated_by() const = 0;
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
  Cursor cursor;
};

absl::StatusOr<std::unique_ptr<Source>> OpenSource(const Profile& profile, const SourceDeps& deps);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_SOURCE_H_
