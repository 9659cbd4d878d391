#include "drone/pipeline/sink_ahead.h"

#include <utility>

#include "common/status/status.h"

namespace chartly::drone {

SinkAhead::~SinkAhead() {
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status SinkAhead::HandOn(Item item) {
  RETURN_IF_ERROR(sink_.Append(std::move(item.batch), item.fetched, item.cursor ? &*item.cursor : nullptr));
  done_ += item.fetched;
  return absl::OkStatus();
}

absl::Status SinkAhead::Append(std::string batch, int64_t fetched, std::optional<Cursor> cursor) {
  RETURN_IF_ERROR(Finish());
  Item item{std::move(batch), fetched, std::move(cursor)};
  if (!std::exchange(began_, true)) {
    const absl::Status status = HandOn(std::move(item));
    absl::MutexLock lock(&mu_);
    status_ = status;
    return status;
  }
  {
    absl::MutexLock lock(&mu_);
    item_ = std::move(item);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::Status SinkAhead::Finish() {
  absl::MutexLock lock(&mu_);
  auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !item_.has_value(); };
  mu_.Await(absl::Condition(&idle));
  return status_;
}

void SinkAhead::Run() {
  while (true) {
    Item item;
    {
      absl::MutexLock lock(&mu_);
      auto news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return item_.has_value() || ended_; };
      mu_.Await(absl::Condition(&news));
      if (!item_) return;
      item = std::move(*item_);
    }
    const absl::Status status = HandOn(std::move(item));
    absl::MutexLock lock(&mu_);
    status_.Update(status);
    item_.reset();
  }
}

}  // namespace chartly::drone
