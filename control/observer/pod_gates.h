// Opens the readiness gates of pods: sets the condition argocd.argoproj.io/health of pods that wait for it, so that a
// rollout goes on to the next pod only when the observer has seen the new one do well. Argo CD does not set it itself.
//
// A pod does well when its containers are ready by the word of its node, and it answers the observer at its own
// address: /ready with 200, and /health with the version of its label app.kubernetes.io/version. What the node said of
// an older state of the pod counts for nothing, and a verdict is written only if nobody has written the pod since it
// was read. A gate that is open stays open: what becomes of the pod later is for the probes of its node, so that an
// observer that is dead, cut off or wrong takes no pod away that serves.
//
// Runs a thread of its own from Start to Shutdown. Thread-safe.
#ifndef CHARTLY_CONTROL_OBSERVER_POD_GATES_H_
#define CHARTLY_CONTROL_OBSERVER_POD_GATES_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/kube/kube_client.h"
#include "common/net/http_client.h"

namespace chartly::observer {

inline constexpr char kHealthGate[] = "argocd.argoproj.io/health";
inline constexpr absl::Duration kGateInterval = absl::Seconds(2);
inline constexpr absl::Duration kGateTimeout = absl::Seconds(1);

// What one look at a pod gave.
struct GateVerdict {
  bool well = false;
  std::string reason;  // in CamelCase, as conditions have it
  std::string message;
};

// What a pod answers at `url`: status and body. Called from one thread.
using PodAnswer = std::function<absl::StatusOr<net::HttpResponse>(const std::string& url)>;

// Judges a pod that waits; asks it only if its node says that it is ready.
GateVerdict JudgePod(const kube::KubePod& pod, const PodAnswer& ask);

class PodGates {
 public:
  // Looks at the pods that `selector` finds every `interval`. The clock must outlive it.
  PodGates(std::unique_ptr<kube::KubeClient> kube, std::string selector, Clock& clock,
           absl::Duration interval = kGateInterval);
  ~PodGates() { Shutdown(); }

  void Start();
  // Gives up what is under way. Safe twice, and before Start.
  void Shutdown();
  // One round: how many pods wait on. For Start's thread and tests.
  absl::StatusOr<int> Look();

 private:
  void Run();
  // Whether the pod waits on.
  absl::StatusOr<bool> LookAt(const kube::KubePod& pod);
  void Tell(const absl::Status& status);

  const std::unique_ptr<kube::KubeClient> kube_;
  const std::unique_ptr<net::HttpClient> http_;
  const std::string selector_;
  const absl::Duration interval_;
  Clock& clock_;
  std::atomic<bool> cancel_ = false;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::string fault_;  // of the round before; the thread's own
  std::thread thread_;
};

}  // namespace chartly::observer

#endif  // CHARTLY_CONTROL_OBSERVER_POD_GATES_H_
