# krg_mpi_program(<name> SOURCE <c file> DIR <folder under the build tree> [LIBS <-l...>])
#
# Builds one C source with the compiler wrappers of both MPI libraries, which a user would use too,
# into <DIR>/<name>.mpich and <DIR>/<name>.openmpi.

find_program(KRG_MPICC_MPICH mpicc.mpich REQUIRED)
find_program(KRG_MPICC_OPENMPI mpicc.openmpi REQUIRED)
find_program(KRG_MPIEXEC_MPICH mpiexec.hydra REQUIRED)
find_program(KRG_MPIEXEC_OPENMPI mpirun.openmpi REQUIRED)

# The launchers that come with the libraries, as a command line; the count follows. Open MPI's hangs
# with many short-lived processes unless it forks them from one thread.
set(KRG_LAUNCH_MPICH ${KRG_MPIEXEC_MPICH} -n)
set(KRG_LAUNCH_OPENMPI ${KRG_MPIEXEC_OPENMPI} --allow-run-as-root --oversubscribe
    --mca odls_base_num_threads 0 --mca mpi_yield_when_idle 1 -n)

function(krg_mpi_program name)
  cmake_parse_arguments(M "" "SOURCE;DIR" "LIBS" ${ARGN})
  set(folder ${CMAKE_BINARY_DIR}/${M_DIR})
  file(MAKE_DIRECTORY ${folder})
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${M_SOURCE})
  set(programs)
  foreach(mpi mpich openmpi)
    string(TOUPPER ${mpi} upper)
    set(program ${folder}/${name}.${mpi})
    add_custom_command(OUTPUT ${program} DEPENDS ${source} DEPFILE ${program}.d
      COMMENT "Building ${M_DIR}/${name}.${mpi}"
      COMMAND ${KRG_MPICC_${upper}} -std=gnu11 -O2 -Wall -Wextra -Werror
              -MD -MT ${program} -MF ${program}.d -o ${program} ${source} ${M_LIBS})
    list(APPEND programs ${program})
  endforeach()
  add_custom_target(mpi_${name} ALL DEPENDS ${programs})
endfunction()
