// The id that a program has on this host unless it is given another.
#ifndef CHARTLY_COMMON_CONFIG_HOST_ID_H_
#define CHARTLY_COMMON_CONFIG_HOST_ID_H_

#include <string>

namespace chartly {

// The host's name in lower case, with - for what an id cannot hold; `otherwise` if nothing is left that begins an id.
std::string HostId(const std::string& otherwise);

}  // namespace chartly

#endif  // CHARTLY_COMMON_CONFIG_HOST_ID_H_
