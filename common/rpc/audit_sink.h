// Where what was done is recorded. RpcAuditSink sends it to the audit service.
#ifndef CHARTLY_COMMON_RPC_AUDIT_SINK_H_
#define CHARTLY_COMMON_RPC_AUDIT_SINK_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace chartly::rpc {

class Peers;
class RefusalLedger;

// The outcome of an entry that is made before the change: if no other follows, how it ended is not known.
inline constexpr char kAuditStarted[] = "STARTED";

struct AuditEntry {
  std::string actor;
  std::string action;   // registry.CreateProfile
  std::string subject;  // profiles/x
  std::string outcome;  // OK, the code, or kAuditStarted
  std::string request_id;
  std::string tenant;
  std::string address;  // of the caller; empty: this process
  std::string detail;
};

// Thread-safe.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  // OK once it is durable; Unavailable (AUDIT_UNAVAILABLE) if the audit log does not take it.
  virtual absl::Status Record(const AuditEntry& entry) = 0;
  // The same without waiting: `done` is called once when the entry is recorded or could not be, perhaps before this
  // returns.
  virtual void RecordLater(const AuditEntry& entry, std::function<void()> done) {
    Record(entry).IgnoreError();
    done();
  }
  // Records that a call was refused, soon and not each one by itself. Does not block.
  virtual void Refused(const AuditEntry& entry) = 0;
};

class RpcAuditSink final : public AuditSink {
 public:
  explicit RpcAuditSink(const Peers& peers);
  // Waits for the entries on their way.
  ~RpcAuditSink() override;
  absl::Status Record(const AuditEntry& entry) override;
  // Some entries are on their way at once, the others wait for these. Their callers wait, so that they are few.
  void RecordLater(const AuditEntry& entry, std::function<void()> done) override;
  void Refused(const AuditEntry& entry) override;
  // Records what waits, as far as the audit log answers, and takes no more refusals. Safe twice. Call it while the
  // peers can still be reached.
  void Shutdown();

 private:
  struct Later {
    AuditEntry entry;
    std::function<void()> done;
  };
  void Run();
  void SendNext();
  void Send(Later later);

  const Peers& peers_;
  const std::unique_ptr<RefusalLedger> refusals_;
  absl::Mutex mu_;
  std::deque<AuditEntry> refused_ ABSL_GUARDED_BY(mu_);
  std::deque<Later> later_ ABSL_GUARDED_BY(mu_);
  int on_their_way_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_AUDIT_SINK_H_
