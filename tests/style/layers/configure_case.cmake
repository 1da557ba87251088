# Configures PROJECT as CASE; succeeds if the outcome is as WORDS says (see CMakeLists.txt).
file(REMOVE_RECURSE ${BUILD})
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${PROJECT} -B ${BUILD} -DCASE=${CASE} -DKRG_SOURCE=${KRG_SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(WORDS STREQUAL "")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "a project that keeps the rules was refused:\n${output}")
  endif()
elseif(result EQUAL 0)
  message(FATAL_ERROR "case '${CASE}' was accepted")
else()
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "${WORDS}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "case '${CASE}' was refused, but without '${WORDS}':\n${output}")
  endif()
endif()
