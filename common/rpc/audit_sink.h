// Where a change is recorded. RpcAuditSink sends it to the audit service; a failure is logged and counted.
#ifndef CHARTLY_COMMON_RPC_AUDIT_SINK_H_
#define CHARTLY_COMMON_RPC_AUDIT_SINK_H_

#include <string>

namespace chartly::rpc {

class Peers;

struct AuditEntry {
  std::string actor;
  std::string action;   // registry.CreateProfile
  std::string subject;  // profiles/x
  std::string outcome;  // OK, or the code
  std::string request_id;
};

// Thread-safe.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void Record(const AuditEntry& entry) = 0;
};

class RpcAuditSink final : public AuditSink {
 public:
  explicit RpcAuditSink(const Peers& peers) : peers_(peers) {}
  void Record(const AuditEntry& entry) override;

 private:
  const Peers& peers_;
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_AUDIT_SINK_H_
