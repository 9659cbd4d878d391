#include "common/http/exchange.h"

#include "common/http/error_body.h"

namespace chartly::http {

Exchange::~Exchange() {
  absl::MutexLock lock(&mu_);
  if (state_ == State::kOpen) {
    connection_->PostHead(ErrorResponse(500, "INTERNAL", "UNANSWERED", "the request was dropped without an answer"),
                          false);
  } else if (state_ == State::kStreaming) {
    connection_->PostClose();  // without the last chunk: the client sees that the stream was cut
  }
}

void Exchange::Send(Response response) {
  std::function<void()> dropped;  // destroyed outside of the lock: it may own the caller
  absl::MutexLock lock(&mu_);
  if (state_ != State::kOpen) return;
  state_ = State::kAnswered;
  dropped.swap(on_gone_);
  connection_->PostHead(std::move(response), false);
}

void Exchange::StartStream(Response head) {
  absl::MutexLock lock(&mu_);
  if (state_ != State::kOpen) return;
  state_ = State::kStreaming;
  connection_->PostHead(std::move(head), true);
}

bool Exchange::Write(std::string piece) {
  if (piece.empty()) return true;
  std::function<void()> gone;
  std::function<void()> room;
  {
    absl::MutexLock lock(&mu_);
    if (state_ != State::kStreaming) return false;
    if (waiting_->fetch_add(piece.size()) + piece.size() <= kMaxWaitingBytes) {
      connection_->PostPiece(std::move(piece), waiting_);
      return true;
    }
    state_ = State::kGone;
    gone.swap(on_gone_);
    room.swap(on_room_);
    connection_->PostClose();
  }
  if (gone) gone();
  if (room) room();
  return false;
}

void Exchange::End() {
  std::function<void()> dropped;
  absl::MutexLock lock(&mu_);
  if (state_ != State::kStreaming) return;
  state_ = State::kAnswered;
  dropped.swap(on_gone_);
  connection_->PostEnd();
}

void Exchange::OnRoom(std::function<void()> callback) {
  {
    absl::MutexLock lock(&mu_);
    if (state_ == State::kStreaming && waiting_->load() > kRoomBytes) {
      on_room_ = std::move(callback);
      return;
    }
  }
  callback();
}

void Exchange::Sent() {
  std::function<void()> room;
  {
    absl::MutexLock lock(&mu_);
    if (!on_room_ || waiting_->load() > kRoomBytes) return;
    room.swap(on_room_);
  }
  room();
}

void Exchange::OnGone(std::function<void()> callback) {
  {
    absl::MutexLock lock(&mu_);
    if (state_ == State::kOpen || state_ == State::kStreaming) {
      on_gone_.swap(callback);
      return;
    }
    if (state_ == State::kAnswered) return;
  }
  callback();
}

void Exchange::Gone() {
  std::function<void()> gone;
  std::function<void()> room;
  {
    absl::MutexLock lock(&mu_);
    if (state_ == State::kOpen || state_ == State::kStreaming) state_ = State::kGone;
    gone.swap(on_gone_);
    room.swap(on_room_);
  }
  if (gone) gone();
  if (room) room();
}

}  // namespace chartly::http
