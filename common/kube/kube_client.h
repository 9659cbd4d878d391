// What Chartly needs of the API of Kubernetes, and no more: the pods of one namespace, a condition in the status of
// one, and the log of a container. HTTP and JSON over common/net; nothing is cached, nothing runs on its own.
//
// Thread-safe.
#ifndef CHARTLY_COMMON_KUBE_KUBE_CLIENT_H_
#define CHARTLY_COMMON_KUBE_KUBE_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/net/http_client.h"

namespace chartly::kube {

// Where a pod finds what its service account may use.
inline constexpr char kAccountFolder[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct KubeAccess {
  std::string url;         // https://HOST:PORT, or http:// of `kubectl proxy`
  std::string token_file;  // read anew for each call, since tokens are renewed; none if empty
  std::string ca_file;     // PEM; the authorities of the machine if empty
  std::string name_space;
};

// What Kubernetes gives a process in a pod: the address in its environment, and token, ca.crt and namespace in
// `folder`. FailedPrecondition (KUBE_NOT_IN_POD) where that is not so.
absl::StatusOr<KubeAccess> AccessOfPod(const std::function<std::string(const char* name)>& variable,
                                       const std::string& folder = kAccountFolder);

struct KubeContainer {
  std::string name;
  std::string image;     // as it was asked for
  std::string image_id;  // as it runs; empty until it does
  int64_t restarts = 0;
  bool has_status = false;  // whether the kubelet has said anything of it
};

struct KubeCondition {
  std::string status;  // "True", "False" or "Unknown"
  std::string reason;
  std::string message;
  int64_t observed_generation = 0;  // 0 where the cluster does not say
};

// A pod as one answer of the API tells of it.
struct KubePod {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string node;
  std::string ip;  // empty until it has one
  std::string phase;
  int64_t generation = 0;  // 0 where the cluster does not count
  bool ending = false;     // it is being deleted
  std::map<std::string, std::string> labels;
  std::vector<std::string> gates;                   // the conditions that it waits for
  std::map<std::string, KubeCondition> conditions;  // by type
  std::vector<KubeContainer> containers;
  std::map<std::string, int> ports;  // named ports of all containers
};

struct KubeLogRequest {
  std::string pod;
  std::string container;
  bool previous = false;  // of the container before its last restart
  std::string since;      // RFC 3339; from the start if empty
  int64_t lines_max = 0;  // the last ones; all if 0
};

class KubeClient {
 public:
  // InvalidArgument: URL_INVALID, CA_FILE_INVALID.
  static absl::StatusOr<std::unique_ptr<KubeClient>> Create(KubeAccess access);

  // All pods of the namespace that a label selector finds. The answer may be some seconds old: the API gives it from
  // its memory.
  absl::StatusOr<std::vector<KubePod>> ListPods(const std::string& selector, const std::atomic<bool>* cancel = nullptr);
  // Writes one condition of the pod's status, if nobody has written the pod since `pod` was read; else Aborted
  // (KUBE_CONFLICT). `now` is RFC 3339.
  absl::Status SetCondition(const KubePod& pod, const std::string& type, const KubeCondition& condition,
                            const std::string& now, const std::atomic<bool>* cancel = nullptr);
  // The log of a container, line after line, each with its time in front.
  absl::StatusOr<std::unique_ptr<net::HttpStream>> OpenLog(const KubeLogRequest& request);

  const KubeAccess& access() const { return access_; }

 private:
  KubeClient(KubeAccess access, const std::string& authorities);
  // All calls: KUBE_UNREACHABLE and the reasons of net::HttpClient; Unauthenticated or PermissionDenied (KUBE_REFUSED),
  // NotFound (KUBE_NOT_FOUND), Aborted (KUBE_CONFLICT), FailedPrecondition (KUBE_FAILED), each with what the API says.
  absl::StatusOr<net::HttpRequest> Request(const std::string& method, const std::string& path) const;
  absl::StatusOr<std::string> Call(net::HttpRequest request);

  const KubeAccess access_;
  const std::unique_ptr<net::HttpClient> http_;
};

// The pods of a PodList as JSON, and where the next page begins (empty at the end). DataLoss (KUBE_ANSWER_INVALID).
absl::StatusOr<std::vector<KubePod>> ParsePods(absl::string_view json, std::string& next);

}  // namespace chartly::kube

#endif  // CHARTLY_COMMON_KUBE_KUBE_CLIENT_H_
