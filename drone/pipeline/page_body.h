// The body of a page on its way to the decoder: hashed as it passes, and read ahead a little, so that the hash of a
// payload of ordinary size is known before its first row. Not thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_PAGE_BODY_H_
#define CHARTLY_DRONE_PIPELINE_PAGE_BODY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "common/text/sha256.h"
#include "drone/decode/body.h"

namespace chartly::drone {

inline constexpr size_t kReadAheadBytes = size_t{4} << 20;

class PageBody final : public Body {
 public:
  // `admit` is asked about each piece that was not read ahead before it goes on; an error of it ends the body. `body`
  // must outlive this.
  PageBody(Body& body, std::function<absl::Status(int64_t bytes)> admit) : body_(body), admit_(std::move(admit)) {}

  // Reads up to `bytes`. An error of the body is kept for the Read that comes to it.
  void ReadAhead(size_t bytes);
  // What was read ahead. Requires: nothing was Read yet.
  absl::string_view ahead() const { return ahead_; }
  // Shows `tap` every piece that is taken from the body from now on.
  void Tap(std::function<void(absl::string_view piece)> tap) { tap_ = std::move(tap); }
  absl::StatusOr<absl::string_view> Read() override;

  // Whether the end was seen; then sha256() and bytes() are those of the whole payload.
  bool whole() const { return whole_; }
  const std::string& sha256() const { return sha256_; }  // empty until whole()
  int64_t bytes() const { return bytes_; }               // taken from the body so far

 private:
  absl::StatusOr<absl::string_view> Take();

  Body& body_;
  const std::function<absl::Status(int64_t bytes)> admit_;
  std::function<void(absl::string_view piece)> tap_;
  Sha256 hash_;
  std::string ahead_;
  bool ahead_given_ = false;
  absl::Status status_;
  bool whole_ = false;
  std::string sha256_;
  int64_t bytes_ = 0;
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_PAGE_BODY_H_
