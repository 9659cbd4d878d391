// Objects of a bucket below a prefix, over the S3 API: Amazon's, or that of any store which speaks it (MinIO, Ceph,
// R2). Requests are signed (request_signature.h); what fails in passing is tried again. Memory stays below two pieces
// of an upload, however large the file.
//
// Thread-safe. Blocks; calls end with Cancelled soon after `cancel` turns true.
#ifndef CHARTLY_COMMON_S3_BUCKET_H_
#define CHARTLY_COMMON_S3_BUCKET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/s3/credentials.h"
#include "common/s3/request_signature.h"

namespace chartly::s3 {

struct BucketConfig {
  std::string url;  // https://HOST[:PORT]/BUCKET[/PREFIX]; http to loopback alone
  std::string region = "us-east-1";
  std::string credentials_file;             // empty: the environment
  std::string ca_file;                      // authorities beside those of the machine
  int64_t piece_bytes = int64_t{16} << 20;  // files above it go in pieces; S3 takes none below 5 MiB but the last
};

struct Object {
  std::string key;  // below the prefix
  int64_t bytes = 0;
};

class Bucket {
 public:
  // InvalidArgument (S3_URL_INVALID, CA_FILE_INVALID). Clock and `cancel` must outlive it.
  static absl::StatusOr<std::unique_ptr<Bucket>> Open(const BucketConfig& config, Clock& clock,
                                                      const std::atomic<bool>& cancel);
  const std::string& url() const { return config_.url; }

  // All fail with NotFound (S3_OBJECT_NOT_FOUND; S3_BUCKET_NOT_FOUND), PermissionDenied (S3_REFUSED: the message has
  // the store's code), Unavailable (S3_UNREACHABLE), InvalidArgument (S3_ANSWER_INVALID), or as ReadCredentials.
  absl::Status Put(const std::string& key, const std::string& content);
  // An object is there whole or not at all. Unavailable (S3_FILE_FAILED) if the file cannot be read.
  absl::Status PutFile(const std::string& key, const std::string& path);
  absl::StatusOr<std::string> Get(const std::string& key);
  // Into a new file, synced, that gets its name once it is whole; nothing is left of one that broke off. Several
  // processes may fetch the same one at once. Unavailable (S3_FILE_FAILED) if it cannot be written.
  absl::Status GetFile(const std::string& key, const std::string& path);
  // All below the prefix whose keys begin so, by key.
  absl::StatusOr<std::vector<Object>> List(const std::string& begin);
  // OK also if there is none.
  absl::Status Delete(const std::string& key);

 private:
  struct Place {
    std::string origin;  // https://host:port
    std::string host;    // as it is sent
    std::string bucket;
    std::string prefix;  // empty, or ends with /
  };
  Bucket(BucketConfig config, Place place, std::unique_ptr<net::HttpClient> http, Clock& clock,
         const std::atomic<bool>& cancel);
  static absl::StatusOr<Place> PlaceOf(const std::string& url);
  std::string PathOf(absl::string_view key) const;
  absl::StatusOr<net::HttpRequest> Signed(const Call& call, const std::string& body) const;
  // Once, and while it may go well another time, again.
  absl::StatusOr<net::HttpResponse> Ask(Call call, const std::string& body = "");
  absl::StatusOr<net::HttpResponse> AskOnce(const Call& call, const std::string& body);
  absl::Status Receive(const Call& call, const std::string& path);
  absl::Status PutPieces(const std::string& key, const std::string& path, int64_t bytes);
  absl::Status Pause(int attempt) const;

  const BucketConfig config_;
  const Place place_;
  const std::unique_ptr<net::HttpClient> http_;
  Clock& clock_;
  const std::atomic<bool>& cancel_;
};

}  // namespace chartly::s3

#endif  // CHARTLY_COMMON_S3_BUCKET_H_
