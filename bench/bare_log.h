// A server that does no more than what an ack needs: it takes batches off streams, writes those that wait to one file,
// syncs it, and answers. No checks, no ids, no store: what is left is gRPC, the disk, and who runs when.
//
// Thread-safe. Its streams have to be closed before it is destroyed.
#ifndef CHARTLY_BENCH_BARE_LOG_H_
#define CHARTLY_BENCH_BARE_LOG_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace chartly::bench {

class BareLog {
 public:
  // Ends the program if the file cannot be made.
  explicit BareLog(const std::string& path);
  ~BareLog();
  // A service that understands v1::IngestService.Ingest.
  grpc::Service& service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_BARE_LOG_H_
