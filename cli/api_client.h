// The REST interface of the control plane, as commands need it. Not thread-safe.
//
// An answer that is no success becomes a status with the code, reason and message that the server gave; a server that
// does not answer is Unavailable and names the address.
#ifndef CHARTLY_CLI_API_CLIENT_H_
#define CHARTLY_CLI_API_CLIENT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/json.h"
#include "common/net/http_client.h"

namespace chartly::cli {

inline constexpr char kDefaultUrl[] = "http://127.0.0.1:8090";

using Query = std::vector<std::pair<std::string, std::string>>;  // entries with an empty value are left out

class ApiClient {
 public:
  // InvalidArgument (URL_INVALID) if the address is not http:// or https://.
  // `authorities`: PEM texts to trust beside those of the machine.
  static absl::StatusOr<std::unique_ptr<ApiClient>> Create(absl::string_view url, absl::string_view key,
                                                           const std::string& authorities = "");

  absl::StatusOr<Json> Get(const std::string& path, const Query& query = {});
  absl::StatusOr<Json> Post(const std::string& path, const Json& body);
  absl::StatusOr<Json> Put(const std::string& path, const Json& body);
  absl::StatusOr<Json> Delete(const std::string& path);
  // Sends a profile text as it is: POST or PUT.
  absl::StatusOr<Json> SendProfile(const std::string& method, const std::string& path, const std::string& filename,
                                   const std::string& text, const Query& query = {});
  // Posts bytes as they are.
  absl::StatusOr<Json> PostBytes(const std::string& path, const std::map<std::string, std::string>& headers,
                                 const std::string& body);
  // Gets pages until `take` says false or there are no more; `take` gets each entry of `field`. Returns whether
  // entries were left.
  absl::StatusOr<bool> GetPages(const std::string& path, Query query, const std::string& field,
                                const std::function<bool(const Json& entry)>& take);
  // Gets a body of any size piece by piece, until its end or `take` says false. DataLoss (BODY_BROKEN_OFF) if it ends
  // before it is whole.
  absl::Status Download(const std::string& path, const Query& query,
                        const std::function<bool(absl::string_view piece)>& take);
  // Follows a stream of server-sent events until `take` says false or the server ends it.
  absl::Status Follow(const std::string& path, const std::function<bool(const Json& event)>& take);

 private:
  ApiClient(std::string url, std::string key, const std::string& authorities);
  net::HttpRequest Request(const std::string& method, const std::string& path, const Query& query) const;
  absl::StatusOr<Json> Send(const net::HttpRequest& request);
  // Hands on the pieces of an answer that may last; `broken` says what it is if it ends before it is whole.
  absl::Status ReadStream(net::HttpRequest request, absl::FunctionRef<bool(absl::string_view piece)> take,
                          absl::FunctionRef<absl::Status(const absl::Status&)> broken);

  std::string url_;
  std::string key_;
  std::unique_ptr<net::HttpClient> http_;
};

// One segment of a path or a value of a query, percent-encoded.
std::string PercentEncode(absl::string_view text);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_API_CLIENT_H_
