// The certificate of a server, read again when its files change, so that a renewed one serves the next connection and
// no connection is dropped. A pair that does not fit together, as while only one of the files is written, is not taken:
// the one before goes on serving.
//
// Thread-safe.
#ifndef CHARTLY_COMMON_HTTP_TLS_CONTEXT_H_
#define CHARTLY_COMMON_HTTP_TLS_CONTEXT_H_

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/http/http_server.h"

namespace chartly::http {

class TlsContext {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  // FailedPrecondition (TLS_FILES_INVALID) names the file that cannot be read or does not fit.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Open(const TlsFiles& files);
  // For one connection: looks at the files, and reads them if they changed.
  Context Current();

 private:
  explicit TlsContext(const TlsFiles& files) : files_(files) {}
  absl::StatusOr<Context> Load() const;
  // Changes whenever one of the files does.
  std::string Stamp() const;

  const TlsFiles files_;
  absl::Mutex mu_;
  std::string stamp_ ABSL_GUARDED_BY(mu_);
  Context context_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_TLS_CONTEXT_H_
