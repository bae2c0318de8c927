"""CONFIG: what an operator writes, validated before any machine is contacted."""
