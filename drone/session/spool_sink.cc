#include "drone/session/spool_sink.h"

namespace chartly::drone {

absl::Status SpoolSink::Append(std::string batch, int64_t fetched, const Cursor* cursor) {
  int32_t pages = pages_;
  while (true) {
    absl::Status status = spool_.Append(run_id_, batch, fetched, pages - pages_spooled_, cursor).status();
    if (status.ok()) {
      pages_spooled_ = pages;
      spooled_ += fetched;
      return status;
    }
    if (!absl::IsResourceExhausted(status)) return status;
    if (cancelled_) return absl::CancelledError("the run was cancelled while the spool was full");
    spool_.AwaitRoom();
  }
}

}  // namespace chartly::drone
