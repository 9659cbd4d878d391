#include "control/registry/watch_board.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/state/state_page.h"
#include "common/status/status.h"

namespace chartly::registry {
namespace {

// How long a watch may take to see that its caller has gone.
constexpr absl::Duration kPoll = absl::Milliseconds(100);

absl::Status Gone() { return absl::CancelledError("the watcher has gone"); }

}  // namespace

absl::Status WatchBoard::Enter() {
  absl::MutexLock lock(&mu_);
  if (open_ >= kMaxWatches) {
    return Error(absl::StatusCode::kResourceExhausted, "WATCHES_EXHAUSTED",
                 absl::StrCat(kMaxWatches, " watches of profiles are open already; close one or try again later"));
  }
  ++open_;
  return absl::OkStatus();
}

void WatchBoard::Leave() {
  absl::MutexLock lock(&mu_);
  --open_;
}

void WatchBoard::Shutdown() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

void WatchBoard::NoteChange(Watch& watch, const std::string& id) {
  absl::MutexLock lock(&mu_);
  if (watch.waiting.insert(id).second) watch.changed.push_back(id);
}

absl::StatusOr<std::deque<std::string>> WatchBoard::TakeChanges(Watch& watch) {
  absl::MutexLock lock(&mu_);
  auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !watch.changed.empty(); };
  mu_.AwaitWithTimeout(absl::Condition(&ready), kPoll);
  if (stopped_) {
    return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the registry shuts down; watch again");
  }
  watch.waiting.clear();
  return std::exchange(watch.changed, {});
}

absl::Status WatchBoard::SendAll(Watch& watch, const Send& send, const std::function<bool()>& cancelled) {
  ProfilePage page;
  do {
    ASSIGN_OR_RETURN(page, store_.ListHeads(kMaxPageSize, page.next_page_token));
    for (v1::Profile& profile : page.profiles) {
      if (cancelled()) return Gone();
      if (profile.unreleased()) continue;
      watch.sent[profile.id()] = profile.generation();
      v1::WatchProfilesResponse message;
      *message.mutable_profile() = std::move(profile);
      if (!send(message)) return Gone();
    }
  } while (!page.next_page_token.empty());
  v1::WatchProfilesResponse in_sync;
  in_sync.set_in_sync(true);
  return send(in_sync) ? absl::OkStatus() : Gone();
}

absl::Status WatchBoard::SendHead(Watch& watch, const std::string& id, const Send& send) {
  ASSIGN_OR_RETURN(ProfileHead head, store_.ReadHead(id));
  if (!head.known || head.profile.generation() <= watch.sent[id]) return absl::OkStatus();
  const bool runs = head.live() && !head.profile.unreleased();
  // What the watcher never heard of need not be taken back.
  if (!runs && head.profile.unreleased() && watch.sent[id] == 0) return absl::OkStatus();
  watch.sent[id] = head.profile.generation();
  v1::WatchProfilesResponse message;
  *message.mutable_profile() = std::move(head.profile);
  message.set_deleted(!runs);
  return send(message) ? absl::OkStatus() : Gone();
}

absl::Status WatchBoard::Run(const Send& send, const std::function<bool()>& cancelled) {
  RETURN_IF_ERROR(Enter());
  absl::Cleanup leave = [this] { Leave(); };
  Watch watch;
  // Listening begins before the first page is read, so that no change falls between the two.
  auto subscription = store_.WatchHeads([&](const std::string& id) { NoteChange(watch, id); });
  RETURN_IF_ERROR(SendAll(watch, send, cancelled));
  while (!cancelled()) {
    ASSIGN_OR_RETURN(std::deque<std::string> changed, TakeChanges(watch));
    for (const std::string& id : changed) RETURN_IF_ERROR(SendHead(watch, id, send));
  }
  return Gone();
}

}  // namespace chartly::registry
