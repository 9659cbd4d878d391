// The Reply of one request. Thread-safe. If it is dropped unanswered, the client gets a 500.
#ifndef CHARTLY_COMMON_HTTP_EXCHANGE_H_
#define CHARTLY_COMMON_HTTP_EXCHANGE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/http/connection.h"
#include "common/http/http_server.h"

namespace chartly::http {

// Bytes that may wait for a slow reader of a stream.
inline constexpr size_t kMaxWaitingBytes = size_t{1} << 20;
// A writer that waits for room is called back below this.
inline constexpr size_t kRoomBytes = size_t{256} << 10;

class Exchange final : public Reply {
 public:
  explicit Exchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Exchange() override;

  void Send(Response response) override;
  void StartStream(Response head) override;
  bool Write(std::string piece) override;
  void End() override;
  void OnRoom(std::function<void()> callback) override;
  void OnGone(std::function<void()> callback) override;

  // The connection is closed.
  void Gone();
  // Some bytes of the stream were sent.
  void Sent();

 private:
  enum class State { kOpen, kStreaming, kAnswered, kGone };

  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<std::atomic<size_t>> waiting_ = std::make_shared<std::atomic<size_t>>(0);
  absl::Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kOpen;
  std::function<void()> on_gone_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_room_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_EXCHANGE_H_
