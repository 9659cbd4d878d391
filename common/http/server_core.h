// What the connections of one HttpServer share. Connections and replies keep it alive, so that a late answer to a
// server that is gone touches nothing freed.
#ifndef CHARTLY_COMMON_HTTP_SERVER_CORE_H_
#define CHARTLY_COMMON_HTTP_SERVER_CORE_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/http/http_server.h"
#include "common/http/tls_context.h"

namespace chartly::http {

class Connection;

struct ServerCore {
  ServerCore(Handler request_handler, ServerOptions server_options)
      : handler(std::move(request_handler)), options(server_options) {}

  // Runs `task` on `executor`, unless the server ended: what was posted before is run, what comes later is dropped, so
  // nothing stays in the queue of an io_context that no thread runs any more.
  template <typename Executor, typename Task>
  void Post(const Executor& executor, Task task) {
    absl::ReaderMutexLock lock(&mu);
    if (!ended) boost::asio::post(executor, std::move(task));
  }

  boost::asio::io_context io;
  const Handler handler;
  const ServerOptions options;
  std::unique_ptr<TlsContext> tls;  // null: plaintext. Set before the first connection
  std::atomic<bool> draining{false};

  absl::Mutex mu;
  bool ended ABSL_GUARDED_BY(mu) = false;
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections ABSL_GUARDED_BY(mu);
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_SERVER_CORE_H_
