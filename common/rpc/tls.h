// TLS between processes: each shows a certificate of the same authority, and takes none of any other.
//
// The files are read again while the process runs, so that a renewed certificate serves the next connection and no call
// is dropped.
#ifndef CHARTLY_COMMON_RPC_TLS_H_
#define CHARTLY_COMMON_RPC_TLS_H_

#include <string>

namespace chartly::rpc {

// PEM files. Empty: plaintext.
struct TlsFiles {
  std::string authority;    // certificate of the authority
  std::string certificate;  // of this process, with what lies between it and the authority
  std::string key;

  bool empty() const { return certificate.empty(); }
};

// The name that certificates of the control plane carry. Whoever trusts the private authority asks for it, and not for
// the name of a host: that name changes with every way of deployment and proves nothing more.
inline constexpr char kControlPlaneName[] = "control.chartly.internal";

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_TLS_H_
